/** Two versions of a pose beside each other: what of the frame is shown of both, and where they differ. */
export type Points = readonly (readonly [number, number, number])[];

export interface Window {
  x: number;
  y: number;
  side: number;
}

/** A square around both versions, with room; the whole frame's shorter side where neither has a point. */
export function windowOf(a: Points, b: Points, frame: { width: number; height: number }): Window {
  const seen = [...a, ...b].filter(([, , v]) => v > 0);
  const most = Math.min(frame.width, frame.height);
  if (!seen.length) return { x: (frame.width - most) / 2, y: (frame.height - most) / 2, side: most };
  const [xs, ys] = [seen.map(([x]) => x), seen.map(([, y]) => y)];
  const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const side = Math.min(most, Math.max(48, 1.4 * Math.max(right - left, bottom - top)));
  return { x: (left + right - side) / 2, y: (top + bottom - side) / 2, side };
}

/** Yours, with what it says nothing of as theirs has it, which would stay. Where it only takes back it is nothing. */
export const completed = (yours: Points, theirs: Points): Points =>
  yours.map((mine, index) => (mine[2] > 0 ? mine : (theirs[index] ?? mine)));

/** Keypoints of which the versions say different things. A keypoint of which yours says nothing is none. */
export function differing(yours: Points, theirs: Points): number[] {
  return yours.flatMap((mine, index) => {
    const other = theirs[index];
    return mine[2] > 0 && (!other || mine.some((value, at) => value !== other[at])) ? [index] : [];
  });
}
