import { describe, expect, it } from 'vitest';
import { Block } from './block';
import { together, trust } from './pose';

/** Two frames of tracks 3 and 7 with two keypoints, as the service writes them. */
function bytes(version = 1): ArrayBuffer {
  const head = [0x57505450, version, 2, 2, 2, 10, 12, 5];
  const made = new ArrayBuffer(32 + 8 + 2 * 16 + 2 * 2 * 2 * 5 * 4);
  new Uint32Array(made, 0, 8).set(head);
  new Uint32Array(made, 32, 2).set([3, 7]);
  new Uint32Array(made, 40, 4).set([1, 1, 0, 9]);
  const points = new Float32Array(made, 72);
  points.set([1, 2, 0.5, 4, 3, 5, 6, 0.25, 8, 13], 0); // track 3, frame 10: seen by a machine; hidden and rejected
  points.set([0, 0, 0, 0, 0, 0, 0, 0, 0, 6], 10); // track 3, frame 11: nothing, and absent
  points.set([9, 9, 0.9, 1, 2, 3, 3, 0.75, 2, 4], 30); // track 7, frame 11: accepted, and stale
  return made;
}

describe('a block of poses', () => {
  it('is read where it lies', () => {
    const block = new Block(bytes());
    expect([block.start, block.frames, block.nextStart, block.tracks]).toEqual([10, 2, 12, [3, 7]]);
    expect(block.pose(10, 3)).toEqual({
      points: [{ x: 1, y: 2, v: 2 }, { x: 5, y: 6, v: 1 }],
      scores: [0.5, 0.25],
      radii: [4, 8],
      verdicts: [null, 'rejected'],
      score: 0.25,
      run: 1,
    });
    expect(block.pose(11, 7)).toMatchObject({ verdicts: ['accepted', 'stale'], score: 0.75, run: 9 });
  });
  it('tells what radii rest on where that was asked for', () => {
    const [plain, told] = [bytes(), new ArrayBuffer(72 + 160 + 32)];
    new Uint8Array(told).set(new Uint8Array(plain));
    new Uint32Array(told, 72 + 160).set([9 * 4 + 2, 0, 0, 0, 0, 0, 4 * 4 + 1, 0]);
    const block = new Block(told);
    expect(block.pose(10, 3)?.rests?.map(trust)).toEqual([{ state: 'calibrated', keyframes: 9 }, { state: 'prior', keyframes: 0 }]);
    expect(block.pose(11, 7)?.rests?.map(trust)[0]).toEqual({ state: 'provisional', keyframes: 4 });
    expect(together(undefined, block.pose(10, 3), 2).map((point) => point?.rests)).toEqual([38, 0]);
    expect(new Block(plain).pose(10, 3)?.rests).toBeUndefined();
  });
  it('has nothing where nothing is known', () => {
    const block = new Block(bytes());
    for (const [frame, track] of [[11, 3], [10, 7], [9, 3], [12, 3], [10, 4]] as const) expect(block.pose(frame, track)).toBeUndefined();
  });
  it('of another layout is not guessed at', () => {
    expect(() => new Block(bytes(2))).toThrow('no block');
  });
});
