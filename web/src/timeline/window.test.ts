import { describe, expect, it } from 'vitest';
import { whole } from './layout';
import { windowOf } from './window';

describe('what is read of a curve', () => {
  it('is all of a short video, whatever is seen of it', () => {
    expect(windowOf({ start: 30, length: 10 }, 1350)).toEqual({ start: 0, stop: 1350, buckets: 1350 });
    expect(windowOf(whole(100_000), 100_000)).toEqual({ start: 0, stop: 100_000, buckets: 4096 });
  });
  it('is around what is seen of a long one, with at least two values for each of a thousand pixels', () => {
    for (const start of [0, 1, 40_000, 98_999, 99_000]) {
      const window = windowOf({ start, length: 1000 }, 100_000);
      expect(window.start).toBeLessThanOrEqual(start);
      expect(window.stop).toBeGreaterThanOrEqual(start + 1000);
      expect(window.stop - window.start).toBeLessThanOrEqual(4 * 1000 + 1);
      expect((window.buckets / (window.stop - window.start)) * 1000).toBeGreaterThanOrEqual(1000);
    }
  });
  it('stays the same while one moves about a little', () => {
    expect(windowOf({ start: 40_100, length: 1000 }, 100_000)).toEqual(windowOf({ start: 40_300, length: 1000 }, 100_000));
  });
});
