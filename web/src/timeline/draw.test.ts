import { describe, expect, it } from 'vitest';
import { runs } from './draw';

describe('the lanes of the timeline', () => {
  it('have each pixel in one run, or in none where nothing is known', () => {
    const columns = new Float32Array([0.5, 0.501, 0.9, NaN, 0.9, 0.9]);
    const shade = Math.round(0.9 * 64) / 64;
    expect(runs(columns)).toEqual([
      { x: 0, width: 2, score: 0.5 },
      { x: 2, width: 1, score: shade },
      { x: 4, width: 2, score: shade },
    ]);
  });
});
