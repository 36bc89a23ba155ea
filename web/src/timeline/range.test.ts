import { describe, expect, it } from 'vitest';
import { whole } from './layout';
import { anchor, between, edged } from './range';

describe('a range', () => {
  it('holds both ends whichever way it was drawn', () => {
    expect([between(3, 9), between(9, 3), between(4, 4)]).toEqual([[3, 10], [3, 10], [4, 5]]);
  });
  it('is taken by the edge that is near', () => {
    const span = whole(100);
    expect([anchor([10, 20], span, 1000, 97), anchor([10, 20], span, 1000, 204), anchor([10, 20], span, 1000, 150)]).toEqual([19, 10, null]);
    expect(anchor([10, 11], span, 100, 11)).toBe(10);
    expect(anchor(null, span, 1000, 0)).toBeNull();
  });
  it('is set by its first and its last frame', () => {
    expect(edged(null, 'first', 30, 100)).toEqual([30, 100]);
    expect(edged([30, 100], 'last', 49, 100)).toEqual([30, 50]);
    expect(edged([30, 50], 'first', 60, 100)).toEqual([60, 61]);
    expect(edged([30, 50], 'last', 10, 100)).toEqual([10, 11]);
  });
});
