import { describe, expect, it } from 'vitest';
import { frameAt, middle, neighbour, showing, whole, within, worst, xOf, zoomed } from './layout';

describe('the timeline', () => {
  it('has every frame in its place', () => {
    const span = whole(100_000);
    for (const frame of [0, 1, 499, 99_999]) expect(frameAt(span, 1e6, xOf(span, 1e6, frame + 0.5), 100_000)).toBe(frame);
    expect(frameAt(span, 800, 900, 100_000)).toBe(99_999);
    expect(frameAt(span, 800, -5, 100_000)).toBe(0);
  });
  it('zooms around a spot and stays within the video', () => {
    const near = zoomed(whole(1000), 0.1, 0.5, 1000);
    expect(near).toEqual({ start: 450, length: 100 });
    expect(zoomed(near, 100, 0.5, 1000)).toEqual(whole(1000));
    expect(within({ start: 995, length: 1 }, 1000)).toEqual({ start: 990, length: 10 });
    expect(within({ start: 5, length: 1 }, 3)).toEqual({ start: 0, length: 3 });
    expect(showing(near, 10, 1000)).toEqual({ start: 0, length: 100 });
    expect(showing(near, 460, 1000)).toBe(near);
  });
  it('shows the worst score of the frames in a pixel, and nothing where there is none', () => {
    const scores = new Float32Array([0.9, 0.25, NaN, NaN, 0.5, NaN]);
    expect([...worst(scores, whole(6), 3)]).toEqual([0.25, NaN, 0.5]);
  });
  it('shows the same worst scores of many frames as if each had been looked at', () => {
    const scores = Float32Array.from({ length: 5003 }, (_, frame) => (frame % 7 ? ((frame * 7919) % 1000) / 1000 : NaN));
    for (const span of [whole(5003), { start: 13.7, length: 3001.2 }, { start: 4000, length: 30 }]) {
      const width = 17;
      const slow = Array.from({ length: width }, (_, x) => {
        const from = Math.floor(span.start + (x / width) * span.length);
        const to = Math.max(from + 1, Math.floor(span.start + ((x + 1) / width) * span.length));
        const known = [...scores.slice(from, to)].filter((score) => !Number.isNaN(score));
        return known.length ? Math.min(...known) : NaN;
      });
      expect([...worst(scores, span, width)]).toEqual(slow);
    }
  });
  it('finds keyframes and the middle between them', () => {
    const keys = [40, 0, 10];
    expect([neighbour(keys, 10, 1), neighbour(keys, 10, -1), neighbour(keys, 40, 1)]).toEqual([40, 0, null]);
    expect(middle(keys, 10, 100)).toBe(25);
    expect(middle(keys, 12, 100)).toBe(25);
    expect(middle(keys, 40, 100)).toBe(70);
  });
});
