import { describe, expect, it } from 'vitest';
import { back, begin, next, placed, skip } from './placing';
import type { Said } from './pose';

const at = (x: number): Said => ({ x, y: 0, v: 2 });

describe('placing', () => {
  it('goes through the keypoints in the order of the skeleton', () => {
    const points: Said[] = [null, null, null];
    let placing = begin(points);
    const order = [];
    while (placing.at !== null) {
      order.push(placing.at);
      points[placing.at] = at(placing.at);
      placing = placed(placing, points);
    }
    expect(order).toEqual([0, 1, 2]);
  });

  it('begins at the first keypoint of which nothing is said', () => {
    expect(begin([at(1), 'absent', null, null]).at).toBe(2);
    expect(begin([at(1), 'absent']).at).toBeNull();
    expect(begin([null, null, null], new Set([0, 2]))).toMatchObject({ at: 1 });
  });

  it('does not come back to what was skipped, but to what was passed over', () => {
    const points: Said[] = [null, null, null];
    const placing = { ...skip(begin(points), points), at: 2 };
    points[2] = at(2);
    const after = placed(placing, points);
    expect(after.at).toBe(1);
    expect(next([null, at(1), at(2)], after.skipped, 1)).toBeNull();
  });

  it('goes back the way it came, over what was skipped too', () => {
    const points: Said[] = [null, null, null];
    const start = begin(points);
    points[0] = at(0);
    const placing = skip(placed(start, points), points);
    expect(placing.at).toBe(2);
    expect(back(placing)).toMatchObject({ at: 1, trail: [0] });
    expect(back(back(placing))).toMatchObject({ at: 0, trail: [] });
    expect(back(back(back(placing))).at).toBe(0);
  });
});
