/** The ghost of a keyframe: what people said of the selected subject on the keyframe before or after. */
import { neighbour } from '../timeline/layout';

export type Side = 'before' | 'after';

/** The keyframe before, then the one after, then none. */
export function turned(side: Side | null): Side | null {
  return side === null ? 'before' : side === 'before' ? 'after' : null;
}

/** The keyframe on a side of a frame; null where there is none. */
export function keyframeOn(side: Side, keyframes: readonly number[], frame: number): number | null {
  return neighbour(keyframes, frame, side === 'before' ? -1 : 1);
}
