/** Edits that wait to be saved: what of a label changed, never more. */
import type { Conflict, LabelIn } from '../api/types';
import { isPoint, round, sameSaid, saysNothing, type Pose, type Said } from './pose';

export interface Edit {
  video: number;
  frame: number;
  track: number;
  size: number;
  /** The whole label is taken back, before anything else. */
  cleared: boolean;
  /** The subject is said to be absent. */
  absent: boolean;
  /** What is said now of keypoints that changed; null takes back. */
  changes: Record<number, Said>;
  /** What was known of these keypoints before: where others left that as it was, they changed something else. */
  known?: Record<number, Said>;
}

export const place = (edit: { frame: number; track: number }): string => `${edit.frame}:${edit.track}`;

/** What has to be written for `before` to become `after`; null where that is nothing. */
export function difference(
  video: number,
  frame: number,
  track: number,
  before: Pose | undefined,
  after: Pose,
): Edit | null {
  const size = after.points.length;
  const edit: Edit = { video, frame, track, size, cleared: false, absent: false, changes: {} };
  if (after.absent) return before?.absent ? null : { ...edit, absent: true };
  if (saysNothing(after)) return before && !saysNothing(before) ? { ...edit, cleared: true } : null;
  const old = before?.absent ? undefined : before;
  edit.cleared = before?.absent ?? false;
  after.points.forEach((said, index) => {
    const known = old?.points[index] ?? null;
    if (sameSaid(said, known)) return;
    edit.changes[index] = said;
    edit.known = { ...edit.known, [index]: known };
  });
  return edit.cleared || Object.keys(edit.changes).length ? edit : null;
}

/** Two edits of one label as one: the later counts. */
export function merged(earlier: Edit, later: Edit): Edit {
  if (later.absent || (later.cleared && !Object.keys(later.changes).length)) return later;
  if (later.cleared) return later;
  const base = earlier.absent ? { ...earlier, absent: false, cleared: true, changes: {} } : earlier;
  return { ...base, changes: { ...base.changes, ...later.changes }, known: { ...later.known, ...base.known } };
}

/** As the service keeps it: less of a coordinate than it is told. */
const kept = (said: Said): Said => (isPoint(said) ? { ...said, x: round(said.x), y: round(said.y) } : said);

/**
 * Whether an edit and another version of a label can both stand: of what the edit changes, the other says what was known
 * before. Or it says what the edit says: it may be one's own, of which the answer was lost.
 */
export function bothStand(edit: Edit | undefined, other: Conflict): boolean {
  if (!edit) return false;
  const gone = other.theirs_absent;
  if (edit.absent || gone === true) return edit.absent && gone === true;
  const said = (index: number): Said => {
    const [x, y, v] = other.theirs[index] ?? [0, 0, 0];
    return gone?.includes(index) ? 'absent' : kept(v > 0 ? { x, y, v: v === 1 ? 1 : 2 } : null);
  };
  if (edit.cleared) return Array.from({ length: edit.size }, (_, index) => edit.changes[index] ?? null).every((now, index) => sameSaid(kept(now), said(index)));
  return Object.entries(edit.changes).every(([index, now]) => {
    const before = edit.known?.[Number(index)];
    return sameSaid(kept(now), said(Number(index))) || (before !== undefined && sameSaid(kept(before), said(Number(index))));
  });
}

/** The label to put, where the edit says something. */
export function asLabel(edit: Edit): LabelIn | null {
  const at = { frame_index: edit.frame, track_id: edit.track };
  if (edit.absent) return { ...at, absent: true };
  const said = Object.entries(edit.changes);
  const points = said.filter(([, value]) => isPoint(value));
  const absent = said.filter(([, value]) => value === 'absent').map(([index]) => Number(index));
  if (!points.length && !absent.length) return null;
  const keypoints = Array.from({ length: edit.size }, (): [number, number, number] => [0, 0, 0]);
  for (const [index, value] of points) if (isPoint(value)) keypoints[Number(index)] = [value.x, value.y, value.v];
  return { ...at, ...(points.length ? { keypoints } : {}), ...(absent.length ? { absent } : {}) };
}

/** Keypoints of which what was said is taken back; null takes back the whole label. */
export function takenBack(edit: Edit): number[] | null {
  if (edit.cleared) return null;
  return Object.entries(edit.changes)
    .filter(([, value]) => value === null)
    .map(([index]) => Number(index));
}

/** A pose after an edit. */
export function applied(pose: Pose | undefined, edit: Edit): Pose {
  if (edit.absent) return { absent: true, points: Array<Said>(edit.size).fill(null) };
  const points: Said[] = Array.from({ length: edit.size }, (_, index) =>
    edit.cleared ? null : (pose?.points[index] ?? null),
  );
  for (const [index, value] of Object.entries(edit.changes)) points[Number(index)] = value;
  return { absent: false, points };
}
