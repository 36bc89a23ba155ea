/** Calls about the subjects of a video. */
import { all, api, given, once } from '../api/client';
import type { Track } from '../api/types';

const at = (video: number) => ({ params: { path: { video_id: video } } });
const key = () => ({ 'idempotency-key': once() });

export const list = (video: number): Promise<Track[]> =>
  all((cursor) =>
    api.GET('/api/v1/videos/{video_id}/tracks', {
      params: { path: { video_id: video }, query: { limit: 200, ...(cursor ? { cursor } : {}) } },
    }),
  );

export const add = (video: number, name: string): Promise<Track> =>
  given(
    api.POST('/api/v1/videos/{video_id}/tracks', {
      params: { path: { video_id: video }, header: key() },
      body: { name },
    }),
  );

export const rename = (video: number, number: number, name: string) =>
  given(
    api.PATCH('/api/v1/videos/{video_id}/tracks/{number}', {
      params: { path: { video_id: video, number } },
      body: { name },
    }),
  );

export const remove = (video: number, number: number) =>
  given(api.DELETE('/api/v1/videos/{video_id}/tracks/{number}', { params: { path: { video_id: video, number } } }));

export const swap = (video: number, a: number, b: number, start: number) =>
  given(api.POST('/api/v1/videos/{video_id}/tracks/swap', { ...at(video), body: { a, b, start } }));

export const merge = (video: number, from: number, into: number) =>
  given(api.POST('/api/v1/videos/{video_id}/tracks/merge', { ...at(video), body: { from, into, prefer: 'into' } }));

export const split = (video: number, track: number, start: number) =>
  given(api.POST('/api/v1/videos/{video_id}/tracks/split', { ...at(video), body: { track, start } }));
