import { describe, expect, it } from 'vitest';
import { whole } from './layout';
import { columns, scaleOf, valueAt, type Curve } from './plot';

const six: Curve = { start: 10, stop: 16, buckets: 6, low: [1, 2, null, 4, 5, 6], high: [1, 2, null, 4, 5, 6] };

describe('the plot above the timeline', () => {
  it('has a spot for each frame where there is room, and none where nothing is known', () => {
    const seen = columns(six, { start: 10, length: 6 }, 60);
    expect(seen.map((one) => one && [one.x, one.high])).toEqual([[5, 1], [15, 2], null, [35, 4], [45, 5], [55, 6]]);
  });
  it('has the least and the greatest of the frames that share a pixel, so that no peak is lost', () => {
    const values = Array.from({ length: 1000 }, (_, frame) => (frame === 777 ? 99 : frame === 300 ? null : frame % 10));
    const curve: Curve = { start: 0, stop: 1000, buckets: 1000, low: values, high: values };
    const seen = columns(curve, whole(1000), 10);
    expect(seen).toHaveLength(10);
    expect(seen[7]).toEqual({ x: 7.5, low: 0, high: 99 });
    expect(seen[3]?.high).toBe(9);
  });
  it('tells the value on a frame, also where a bucket holds many', () => {
    const coarse: Curve = { start: 0, stop: 100_000, buckets: 4, low: [0, 0, 0, 0], high: [1, 2, null, 4] };
    expect([valueAt(six, 13), valueAt(six, 12), valueAt(six, 3)]).toEqual([4, null, null]);
    expect([valueAt(coarse, 24_999), valueAt(coarse, 25_000), valueAt(coarse, 99_999)]).toEqual([1, 2, 4]);
  });
  it('is scaled to what is seen', () => {
    const seen = columns(six, { start: 10, length: 6 }, 60);
    expect([scaleOf(seen, true), scaleOf(seen, false), scaleOf([null], true)]).toEqual([{ low: 0, high: 6 }, { low: 1, high: 6 }, null]);
    expect(scaleOf([{ x: 0, low: 3, high: 3 }], false)).toEqual({ low: 2, high: 4 });
    expect(scaleOf([{ x: 0, low: 0, high: 0 }], true)).toEqual({ low: 0, high: 1 });
  });
});
