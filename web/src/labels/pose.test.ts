import { expect, test } from 'vitest';
import { adopted, placed, shifted, type Pose, type Seen } from './pose';

const seen = (x: number, y: number, hidden = false): Seen => ({ x, y, hidden, human: false, radius: null, score: null, verdict: null });

test('a keypoint is placed to hundredths of a pixel', () => {
  expect(placed({ x: 1.23456, y: 7 }, true)).toEqual({ x: 1.23, y: 7, v: 1 });
});

test("a machine's points are taken over where a person says nothing", () => {
  const mine: Pose = { absent: false, points: [{ x: 1, y: 2, v: 2 }, 'absent', null, null] };
  const machine = [{ x: 9, y: 9, v: 2 as const }, { x: 9, y: 9, v: 2 as const }, { x: 3.456, y: 4, v: 1 as const }, null];
  expect(adopted(mine, machine)).toEqual({ absent: false, points: [{ x: 1, y: 2, v: 2 }, 'absent', { x: 3.46, y: 4, v: 1 }, null] });
});

test('what is seen moves, and what is absent stays so', () => {
  const mine: Pose = { absent: false, points: [{ x: 1, y: 2, v: 2 }, 'absent', null] };
  expect(shifted(mine, [seen(1, 2), null, seen(5, 5, true)], { x: 1, y: -1 })).toEqual({
    absent: false,
    points: [{ x: 2, y: 1, v: 2 }, 'absent', { x: 6, y: 4, v: 1 }],
  });
});
