/** Reviews and the queue over the API. */
import { api, given, once, pageFrom } from '../api/client';
import type { Job, Review, ReviewIn, ReviewQueuePage } from '../api/types';

const MOST_ANSWERS = 8;

export async function queue(video: number, limit: number): Promise<ReviewQueuePage> {
  const params = { path: { video_id: video }, query: { limit } };
  return (await given(api.GET('/api/v1/videos/{video_id}/review-queue', { params }))) as unknown as ReviewQueuePage;
}

/** The same of all videos of a project, in turn from one after another. */
export async function projectQueue(project: number, limit: number): Promise<ReviewQueuePage> {
  const found: ReviewQueuePage = { items: [], next_cursor: null, waiting: 0 };
  // An answer looks through some videos alone.
  for (let answer = 0, cursor: string | null | undefined; answer < MOST_ANSWERS && cursor !== null; answer++) {
    const query = pageFrom(cursor, limit - found.items.length);
    const params = { path: { project_id: project }, query };
    const page = (await given(api.GET('/api/v1/projects/{project_id}/review-queue', { params }))) as unknown as ReviewQueuePage;
    found.items.push(...page.items);
    found.waiting = Math.max(found.waiting, page.waiting);
    cursor = found.items.length < limit ? page.next_cursor : null;
  }
  return found;
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
