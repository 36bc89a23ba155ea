import { describe, expect, it } from 'vitest';
import { epochsOf, placed } from './curve';

describe('a loss curve', () => {
  it('is read from what the service tells, in order, without what is no number', () => {
    const rows = [
      { index: 1, loss: 2, best: true, validation: { error: 0.1 } },
      { index: 0, loss: 4, best: false, validation: {} },
      { index: 2, loss: null },
    ];
    expect(epochsOf(rows)).toEqual([
      { index: 0, loss: 4, error: null, best: false },
      { index: 1, loss: 2, error: 0.1, best: true },
    ]);
    expect(epochsOf(undefined)).toEqual([]);
  });
  it('lies in its box: the largest on top, zero below', () => {
    const points = placed([{ index: 0, value: 4 }, { index: 2, value: 1 }], 2, { width: 100, height: 40 });
    expect(points).toEqual([{ x: 0, y: 0 }, { x: 100, y: 30 }]);
    expect(placed([{ index: 0, value: 3 }], 0, { width: 100, height: 40 })).toEqual([{ x: 0, y: 0 }]);
  });
});
