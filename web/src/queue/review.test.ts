import { held, serve, settled } from '../tests/service';
import { beforeEach, describe, expect, it } from 'vitest';
import type { ReviewIn, Suggestion } from '../api/types';
import { ReviewQueue } from './review.svelte';

const suggestion = (frame_index: number): Suggestion => ({ video_id: 1, frame_index, track_id: 1, keypoint: 0, reason: '', predicted_gain: null, score: 0.1, radius90: 3, pose: {} as never });

/** A desk with what a review looks at, on which nothing is labelled. */
function setup() {
  const desk = {
    video: { id: 1 },
    project: { id: 1 },
    frame: 0,
    track: 1 as number | null,
    note: null,
    tracks: [{ id: 1 }],
    labels: { pose: () => undefined, keyframes: () => [], machine: { at: () => undefined, refresh: async () => undefined } },
    runs: { items: [], read: async () => undefined },
    player: { count: 100 },
    select: (track: number) => (desk.track = track),
    go: (frame: number) => (desk.frame = frame),
    trying: (act: () => Promise<unknown>) => act(),
  };
  return { desk, review: new ReviewQueue(desk as never) };
}

describe('a review', () => {
  const said: ReviewIn[] = [];
  // Each test has frames of its own: what was judged once stays away.
  let base = 0;
  let answered = held<null>();
  beforeEach(() => {
    said.length = 0;
    base += 100;
    answered = held<null>();
    serve(async ({ what, body }) => {
      if (what === 'GET /videos/1/review-queue') return { items: [10, 20, 30, 40, 50, 60].map((frame) => suggestion(base + frame)), next_cursor: null, waiting: 6 };
      said.push(body as ReviewIn);
      await answered.promise;
      return { id: said.length, verdict: said.at(-1)?.verdict, start: said.at(-1)?.start, stop: said.at(-1)?.stop, radius90: null };
    });
  });

  it.each(['right', 'reject'])('passes nothing over where a key is pressed twice (%s)', async (how) => {
    const { desk, review } = setup();
    await review.toggle();
    const act = () => (how === 'right' ? review.right() : review.judge('reject'));
    const both = [act(), act()];
    await settled();
    answered.give(null);
    await Promise.all(both);
    await settled();
    expect([said.map((one) => one.start), desk.frame, review.current?.frame_index]).toEqual([[base + 10], base + 20, base + 20]);
    await act();
    expect([said.map((one) => one.start), desk.frame]).toEqual([[base + 10, base + 20], base + 30]);
  });

  it('leaves only what the verdict was of, where somebody goes on before it is answered', async () => {
    const { desk, review } = setup();
    await review.toggle();
    const one = review.right();
    await settled();
    review.step(1);
    answered.give(null);
    await one;
    expect([said.map((each) => each.start), desk.frame, review.current?.frame_index]).toEqual([[base + 10], base + 20, base + 20]);
  });

  it('goes on after a verdict that the service did not take', async () => {
    const { review } = setup();
    await review.toggle();
    const one = review.right();
    await settled();
    answered.fail(new TypeError('away'));
    await expect(one).rejects.toThrow();
    answered = held<null>();
    answered.give(null);
    await review.right();
    expect([said.map((each) => each.start), review.current?.frame_index]).toEqual([[base + 10, base + 10], base + 20]);
  });
});
