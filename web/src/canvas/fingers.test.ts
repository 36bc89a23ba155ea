import { expect, it } from 'vitest';
import { Fingers } from './fingers';

const spot = (x: number) => ({ x, y: 0 });

it('two fingers are told where they were and are, one is not', () => {
  const fingers = new Fingers();
  expect(fingers.down(7, spot(0))).toBe(1);
  expect(fingers.move(7, spot(1))).toBeNull();
  expect(fingers.down(9, spot(10))).toBe(2);
  expect(fingers.move(9, spot(20))).toEqual([[spot(0), spot(10)], [spot(0), spot(20)]]);
  expect(fingers.move(7, spot(5))).toEqual([[spot(0), spot(20)], [spot(5), spot(20)]]);
  expect(fingers.move(8, spot(5))).toBeNull();
  fingers.lift(7);
  expect(fingers.move(9, spot(30))).toBeNull();
});
