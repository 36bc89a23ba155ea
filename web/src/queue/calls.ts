/** Reviews and the queue over the API. */
import { api, given, once } from '../api/client';
import type { Job, Review, ReviewIn, ReviewQueuePage } from '../api/types';

export async function queue(video: number, limit: number): Promise<ReviewQueuePage> {
  const params = { path: { video_id: video }, query: { limit } };
  return (await given(api.GET('/api/v1/videos/{video_id}/review-queue', { params }))) as unknown as ReviewQueuePage;
}

export const say = (video: number, body: ReviewIn): Promise<Review> =>
  given(api.POST('/api/v1/videos/{video_id}/reviews', { params: { path: { video_id: video }, header: { 'idempotency-key': once() } }, body }));

export const undo = (video: number, number: number): Promise<Review> =>
  given(
    api.POST('/api/v1/videos/{video_id}/reviews/{number}/undo', {
      params: { path: { video_id: video, number }, header: { 'idempotency-key': once() } },
    }),
  );

export interface Fix {
  engine: 'stdpose' | 'flow';
  track: number;
  start: number;
  stop: number;
  /** The run that was fixed; none where a person's label was. */
  run: number | undefined;
}

/** Propagate a subject anew between two frames. */
export const repropagate = (video: number, fix: Fix): Promise<Job> =>
  given(
    api.POST('/api/v1/videos/{video_id}/propagations', {
      params: { path: { video_id: video }, header: { 'idempotency-key': once() } },
      body: { engine: fix.engine, tracks: [fix.track], start: fix.start, stop: fix.stop, ...(fix.run ? { corrects_run_id: fix.run } : {}) },
    }),
  );
