import { describe, expect, it } from 'vitest';
import type { LabelOut } from '../api/types';
import { fixed, howFar } from './steps';

const label = (frame: number, vs: number[], more: Partial<LabelOut> = {}): LabelOut => ({
  frame_index: frame,
  track_id: 1,
  keypoints: vs.map((v) => [5, 5, v]),
  source: 'human',
  revision: frame,
  ...more,
});

describe('the tour', () => {
  it('counts frames of which everything was said, hidden and absent too', () => {
    const said = [label(0, [2, 1, 2]), label(5, [2, 0, 1], { absent: [1] }), label(9, [0, 0, 0], { absent: true })];
    expect(howFar(said)).toEqual({ whole: 3, missing: 0 });
  });
  it('tells what is missing on a frame that was begun', () => {
    expect(howFar([label(0, [2, 2, 2]), label(5, [2, 0, 0])])).toEqual({ whole: 1, missing: 2 });
    expect(howFar([])).toEqual({ whole: 0, missing: 0 });
  });
  it('takes for a fix what was said after the run', () => {
    const said = [label(3, [2]), label(7, [2])];
    expect([fixed(said, 7), fixed(said, 6)]).toEqual([false, true]);
  });
});
