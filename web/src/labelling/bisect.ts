/** Where between two keyframes one more would help most. */
import { middle, neighbour } from '../timeline/layout';

/** The frame of the gap around `frame` where a machine is least sure; where it says nothing, the middle. */
export function bisect(keyframes: readonly number[], frame: number, count: number, scores: Float32Array | undefined): number {
  const half = middle(keyframes, frame, count);
  const before = keyframes.includes(frame) ? frame : (neighbour(keyframes, frame, -1) ?? -1);
  const after = neighbour(keyframes, frame, 1) ?? count;
  let best = half;
  let least = Infinity;
  for (let at = before + 1; at < after; at++) {
    const score = scores?.[at] ?? NaN;
    if (score < least || (score === least && Math.abs(at - half) < Math.abs(best - half))) {
      least = score;
      best = at;
    }
  }
  return best;
}
