/** A range of frames that somebody chose: the first, and the one after the last. */
import { xOf, type Span } from './layout';

export type Range = readonly [number, number];

/** How near to an edge of a range one has to be to drag it, in pixels. */
const EDGE_PX = 5;

/** Both frames and all between. */
export const between = (a: number, b: number): Range => [Math.min(a, b), Math.max(a, b) + 1];

/** The frame that stays where it is while the edge of a range that is here is dragged; null where no edge is. */
export function anchor(range: Range | null, span: Span, width: number, x: number): number | null {
  if (!range) return null;
  const [left, right] = [xOf(span, width, range[0]), xOf(span, width, range[1])];
  if (Math.abs(right - x) <= EDGE_PX && Math.abs(right - x) <= Math.abs(left - x)) return range[0];
  return Math.abs(left - x) <= EDGE_PX ? range[1] - 1 : null;
}

/** A range with its first or its last frame here; where it would be empty, with this frame alone. */
export function edged(range: Range | null, which: 'first' | 'last', frame: number, count: number): Range {
  const [start, stop] = range ?? [0, count];
  if (which === 'first') return [frame, stop > frame ? stop : frame + 1];
  return [start <= frame ? start : frame, frame + 1];
}
