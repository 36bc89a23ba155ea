/** Calls about the subjects of a video. */
import { all, api, given, once } from '../api/client';
import type { Track } from '../api/types';

const at = (video: number) => ({ params: { path: { video_id: video } } });
const key = () => ({ 'idempotency-key': once() });

export const list = (video: number): Promise<Track[]> =>
  all((page) =>
    api.GET('/api/v1/videos/{video_id}/tracks', {
      params: { path: { video_id: video }, query: page },
    }),
  );

export const add = (video: number, name: string): Promise<Track> =>
  given(
    api.POST('/api/v1/videos/{video_id}/tracks', {
      params: { path: { video_id: video }, header: key() },
      body: { name },
    }),
  );

/** Each act is one revision of the labels, which is what undoes it. */
type Written = Promise<number>;
const revision = async (written: Promise<{ revision: number }>): Written => (await written).revision;

export const rename = (video: number, number: number, name: string): Written =>
  revision(given(api.PATCH('/api/v1/videos/{video_id}/tracks/{number}', { params: { path: { video_id: video, number } }, body: { name } })));

export const remove = (video: number, number: number): Written =>
  revision(given(api.DELETE('/api/v1/videos/{video_id}/tracks/{number}', { params: { path: { video_id: video, number } } })));

export const swap = (video: number, a: number, b: number, start: number): Written =>
  revision(given(api.POST('/api/v1/videos/{video_id}/tracks/swap', { ...at(video), body: { a, b, start } })));

/** Where both are labelled on a frame, `prefer` says whose pose stands there; without it that is a conflict. */
export const merge = (video: number, from: number, into: number, prefer: 'from' | 'into' | null): Written =>
  revision(given(api.POST('/api/v1/videos/{video_id}/tracks/merge', { ...at(video), body: { from, into, ...(prefer ? { prefer } : {}) } })));

export const split = (video: number, track: number, start: number): Written =>
  revision(given(api.POST('/api/v1/videos/{video_id}/tracks/split', { ...at(video), body: { track, start } })));

/** Undo a revision; an undo can be undone too. */
export const undo = (video: number, number: number): Written =>
  revision(
    given(api.POST('/api/v1/videos/{video_id}/labels/revisions/{revision}/undo', { params: { path: { video_id: video, revision: number } } })),
  );
