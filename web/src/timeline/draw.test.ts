import { describe, expect, it } from 'vitest';
import { runs, ticks } from './draw';

describe('the lanes of the timeline', () => {
  it('have each pixel in one run, or in none where nothing is known', () => {
    const columns = new Float32Array([0.5, 0.501, 0.9, NaN, 0.9, 0.9]);
    const shade = Math.round(0.9 * 32) / 32;
    expect(runs(columns)).toEqual([
      { x: 0, width: 2, score: 0.5 },
      { x: 2, width: 1, score: shade },
      { x: 4, width: 2, score: shade },
    ]);
  });
  it('have diamonds as long as these leave something of it to be seen', () => {
    expect(ticks([10, 30, 50], 100)).toBeNull();
    const places = Array.from({ length: 1000 }, (_, at) => at / 4);
    expect([...(ticks(places, 250) ?? [])]).toEqual(Array.from({ length: 250 }, (_, x) => x));
  });
});
