/** A keypoint pass: one keypoint of one subject through many frames, one click on each. */
export interface Pass {
  keypoint: number;
  frames: readonly number[];
  /** Which of the frames is the present one. */
  at: number;
}

export const MOST = 100;
const APART = 5;

/** Frames where a machine is least sure of the subject, worst first, and none within five frames of a worse one. */
export function leastSure(scores: Float32Array | undefined, said: ReadonlySet<number>): number[] {
  const known = [...(scores ?? [])].map((score, frame) => ({ frame, score })).filter(({ score, frame }) => !Number.isNaN(score) && !said.has(frame));
  known.sort((a, b) => a.score - b.score || a.frame - b.frame);
  const chosen: number[] = [];
  for (const { frame } of known) {
    if (chosen.length === MOST) break;
    if (chosen.every((other) => Math.abs(other - frame) >= APART)) chosen.push(frame);
  }
  return chosen;
}

/** Every so many frames, in order, those that nobody labelled. */
export function every(step: number, count: number, said: ReadonlySet<number>): number[] {
  const frames: number[] = [];
  for (let frame = 0; frame < count; frame += step) if (!said.has(frame)) frames.push(frame);
  return frames;
}

/** A step that gives about 40 frames. */
export const stepFor = (count: number): number => [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].find((step) => count / step <= 40) ?? 2000;

interface Placed {
  frame: number;
  x: number;
  y: number;
}

/** Where a keypoint should be by where people placed it before and after; null where they never did. */
export function between(placed: readonly Placed[], frame: number): { x: number; y: number } | null {
  const before = placed.filter((one) => one.frame <= frame).at(-1);
  const after = placed.find((one) => one.frame > frame);
  const near = before ?? after;
  if (!near) return null;
  if (!before || !after) return { x: near.x, y: near.y };
  const share = (frame - before.frame) / (after.frame - before.frame);
  return { x: before.x + share * (after.x - before.x), y: before.y + share * (after.y - before.y) };
}
