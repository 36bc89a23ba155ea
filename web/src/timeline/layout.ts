/** Where frames lie on the timeline. */
export interface Span {
  /** First frame that is seen; may be a fraction. */
  start: number;
  /** Frames that are seen. */
  length: number;
}

export const whole = (count: number): Span => ({ start: 0, length: Math.max(1, count) });

export const xOf = (span: Span, width: number, frame: number): number => ((frame - span.start) / span.length) * width;

export const frameAt = (span: Span, width: number, x: number, count: number): number =>
  Math.max(0, Math.min(count - 1, Math.floor(span.start + (x / width) * span.length)));

/** Zoom around a spot, or pan; never beyond the video, never below ten frames. */
export function within(span: Span, count: number): Span {
  const length = Math.min(count, Math.max(Math.min(10, count), span.length));
  return { length, start: Math.max(0, Math.min(count - length, span.start)) };
}

export function zoomed(span: Span, factor: number, share: number, count: number): Span {
  const length = within({ start: 0, length: span.length * factor }, count).length;
  return within({ start: span.start + (span.length - length) * share, length }, count);
}

/** A frame, with room around it where the span does not show it. */
export function showing(span: Span, frame: number, count: number): Span {
  if (frame >= span.start && frame < span.start + span.length) return span;
  return within({ ...span, start: frame - span.length / 2 }, count);
}

/** Frames of a block, of which the worst score is kept. */
const BLOCK = 16;
/** By scores, which nobody changes once they are there. */
const kept = new WeakMap<Float32Array, Float32Array>();

function blocksOf(scores: Float32Array): Float32Array {
  const known = kept.get(scores);
  if (known) return known;
  const made = Float32Array.from({ length: Math.ceil(scores.length / BLOCK) }, (_, at) => least(scores, null, at * BLOCK, (at + 1) * BLOCK));
  kept.set(scores, made);
  return made;
}

/** The worst score of some frames, from blocks where these lie among them; NaN where there is none. */
function least(scores: Float32Array, blocks: Float32Array | null, from: number, to: number): number {
  let found = NaN;
  const last = Math.min(to, scores.length);
  for (let at = from; at < last; ) {
    const block = blocks && at % BLOCK === 0 && at + BLOCK <= last;
    const score = (block ? blocks[at / BLOCK] : scores[at]) ?? NaN;
    if (!(score >= found) && !Number.isNaN(score)) found = score;
    at += block ? BLOCK : 1;
  }
  return found;
}

/** The worst score in each pixel; NaN where there is none. */
export function worst(scores: Float32Array, span: Span, width: number): Float32Array {
  const columns = new Float32Array(Math.max(0, Math.ceil(width)));
  const blocks = blocksOf(scores);
  for (let x = 0; x < columns.length; x++) {
    const from = Math.floor(span.start + (x / width) * span.length);
    const to = Math.max(from + 1, Math.floor(span.start + ((x + 1) / width) * span.length));
    columns[x] = least(scores, blocks, from, to);
  }
  return columns;
}

/** The keyframe before or after a frame. */
export function neighbour(keyframes: readonly number[], frame: number, direction: 1 | -1): number | null {
  const beyond = keyframes.filter((one) => (direction === 1 ? one > frame : one < frame));
  return beyond.length ? (direction === 1 ? Math.min(...beyond) : Math.max(...beyond)) : null;
}

/** The middle of the gap between keyframes around a frame, where a label helps most as long as nothing else is known. */
export function middle(keyframes: readonly number[], frame: number, count: number): number {
  const before = keyframes.includes(frame) ? frame : (neighbour(keyframes, frame, -1) ?? 0);
  const after = neighbour(keyframes, frame, 1) ?? count - 1;
  return Math.round((before + after) / 2);
}
