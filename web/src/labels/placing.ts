/** Placing a subject keypoint by keypoint, in the skeleton's order. */
import type { Said } from './pose';

/** The first keypoint from `from` on of which nothing is said and that was not skipped; null when there is none. */
export function next(points: readonly Said[], skipped: ReadonlySet<number>, from = 0): number | null {
  for (let step = 0; step < points.length; step++) {
    const index = (from + step) % points.length;
    if (points[index] === null && !skipped.has(index)) return index;
  }
  return null;
}

/** Where some of the names stand among all. */
export const places = (all: readonly string[], some: readonly string[]): Set<number> =>
  new Set(some.map((name) => all.indexOf(name)).filter((index) => index >= 0));

/** Where a person is with placing. */
export interface Placing {
  at: number | null;
  skipped: ReadonlySet<number>;
  /** Keypoints that were dealt with, last one last: the way back. */
  trail: readonly number[];
}

/** From the first keypoint on, but for those that are retired. */
export const begin = (points: readonly Said[], retired: ReadonlySet<number> = new Set()): Placing => {
  const skipped = new Set<number>(retired);
  return { at: next(points, skipped), skipped, trail: [] };
};

/** Something was said of the present keypoint: on to the next. `points` are those after that. */
export function placed(placing: Placing, points: readonly Said[]): Placing {
  if (placing.at === null) return placing;
  return { ...placing, at: next(points, placing.skipped, placing.at + 1), trail: [...placing.trail, placing.at] };
}

/** Nothing is said of the present keypoint: on to the next. */
export function skip(placing: Placing, points: readonly Said[]): Placing {
  if (placing.at === null) return placing;
  const skipped = new Set(placing.skipped).add(placing.at);
  return { at: next(points, skipped, placing.at + 1), skipped, trail: [...placing.trail, placing.at] };
}

/** One back: the keypoint that was dealt with last is the present one again. */
export function back(placing: Placing): Placing {
  const last = placing.trail.at(-1);
  if (last === undefined) return placing;
  const skipped = new Set(placing.skipped);
  skipped.delete(last);
  return { at: last, skipped, trail: placing.trail.slice(0, -1) };
}
