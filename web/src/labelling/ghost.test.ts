import { describe, expect, it } from 'vitest';
import { keyframeOn, turned, type Side } from './ghost';

describe('the ghost', () => {
  it('is of the keyframe before, then of the one after, then none', () => {
    const seen: (Side | null)[] = [null];
    for (let turn = 0; turn < 4; turn++) seen.push(turned(seen.at(-1) ?? null));
    expect(seen).toEqual([null, 'before', 'after', null, 'before']);
  });

  it('is of the nearest keyframe on that side, never of the frame itself', () => {
    expect(keyframeOn('before', [3, 9, 20], 12)).toBe(9);
    expect(keyframeOn('after', [3, 9, 20], 12)).toBe(20);
    expect(keyframeOn('before', [3, 9, 20], 9)).toBe(3);
    expect(keyframeOn('after', [3, 9, 20], 9)).toBe(20);
    expect(keyframeOn('before', [3, 9, 20], 3)).toBeNull();
    expect(keyframeOn('after', [3, 9, 20], 25)).toBeNull();
  });
});
