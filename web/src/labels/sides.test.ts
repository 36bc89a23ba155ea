import { describe, expect, it } from 'vitest';
import { completed, differing, windowOf } from './sides';

const frame = { width: 640, height: 480 };

describe('two versions beside each other', () => {
  it('are shown with the same piece of the frame, with both in it', () => {
    expect(windowOf([[100, 100, 2]], [[200, 120, 1]], frame)).toEqual({ x: 80, y: 40, side: 140 });
    expect(windowOf([[0, 0, 0]], [], frame)).toEqual({ x: 80, y: 0, side: 480 });
    expect(windowOf([[10, 10, 2]], [[10, 10, 2]], frame).side).toBe(48);
  });
  it('are both whole: what yours says nothing of stays as it is', () => {
    expect(completed([[1, 1, 2], [0, 0, 0]], [[9, 9, 2], [5, 5, 1]])).toEqual([[1, 1, 2], [5, 5, 1]]);
    expect([completed([[0, 0, 0]], []), completed([], [[5, 5, 2]])]).toEqual([[[0, 0, 0]], []]);
  });
  it('differ where yours says something else', () => {
    expect(differing([[1, 1, 2], [0, 0, 0], [3, 3, 2]], [[1, 1, 2], [5, 5, 2], [3, 3, 1]])).toEqual([2]);
    expect(differing([[1, 1, 2]], [])).toEqual([0]);
  });
});
