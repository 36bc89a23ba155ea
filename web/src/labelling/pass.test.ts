import { describe, expect, it } from 'vitest';
import { between, every, leastSure, stepFor } from './pass';

describe('a keypoint pass', () => {
  it('goes where the machine is least sure, worst first, never twice nearby', () => {
    const scores = new Float32Array(40).fill(NaN);
    [[3, 0.5], [5, 0.4], [20, 0.1], [24, 0.2], [30, 0.9]].forEach(([frame, score]) => (scores[frame ?? 0] = score ?? 0));
    expect(leastSure(scores, new Set())).toEqual([20, 5, 30]);
    expect(leastSure(scores, new Set([20]))).toEqual([24, 5, 30]);
    expect(leastSure(undefined, new Set())).toEqual([]);
  });
  it('goes through the video in even steps', () => {
    expect(every(10, 35, new Set([10]))).toEqual([0, 20, 30]);
    expect([stepFor(30), stepFor(400), stepFor(100_000)]).toEqual([1, 10, 2000]);
  });
  it('looks where the keypoint should be', () => {
    const placed = [{ frame: 10, x: 0, y: 0 }, { frame: 20, x: 10, y: 20 }];
    expect(between(placed, 15)).toEqual({ x: 5, y: 10 });
    expect(between(placed, 2)).toEqual({ x: 0, y: 0 });
    expect(between(placed, 90)).toEqual({ x: 10, y: 20 });
    expect(between([], 3)).toBeNull();
  });
});
