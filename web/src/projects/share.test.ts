import { describe, expect, it } from 'vitest';
import type { Share, Video } from '../api/types';
import { percent, together } from './share';

const video = (share: Share | null) => ({ share }) as Video;

describe('how much is done', () => {
  it('is never rounded to nothing or to all', () => {
    expect([percent(0, 90), percent(1, 400), percent(45, 90), percent(399, 400), percent(9, 9), percent(0, 0)]).toEqual([
      '0 %',
      '< 1 %',
      '50 %',
      '> 99 %',
      '100 %',
      '0 %',
    ]);
  });
  it('is summed over videos, those left out that were never counted', () => {
    const one = { poses: 10, labelled: 1, reviewed: 2, propagated: 3, current: true };
    expect(together([video(one), video(null), video({ ...one, current: false })])).toEqual({
      poses: 20,
      labelled: 2,
      reviewed: 4,
      propagated: 6,
      current: false,
    });
    expect(together([video(null)])).toBeNull();
  });
});
