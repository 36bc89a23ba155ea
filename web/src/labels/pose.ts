/** What a person says of one subject on one frame, and what a machine says; how the two are seen together. */
import type { LabelOut } from '../api/types';

export interface Point {
  x: number;
  y: number;
  /** 2 visible, 1 hidden. */
  v: 1 | 2;
}

/** Of a keypoint: where it is, that it is absent, or nothing. */
export type Said = Point | 'absent' | null;

export interface Pose {
  /** The subject is not here. */
  absent: boolean;
  points: Said[];
}

export interface MachinePose {
  points: (Point | null)[];
  scores: number[];
  radii: number[];
  /** What each radius rests on, see `trust`. */
  rests?: number[];
  verdicts: (Verdict | null)[];
  score: number;
  /** The run that it is of. */
  run: number;
}

/** What is to be said of a machine's point beside where it is. */
export type Verdict = 'accepted' | 'rejected' | 'stale';

const STATES = ['prior', 'provisional', 'calibrated'] as const;

/** What a radius rests on, and how many labels that were hidden from the engine are behind it. */
export interface Trust {
  state: (typeof STATES)[number];
  keyframes: number;
}

/** As the service writes it: the state in the lower two bits, the labels above. */
export const trust = (rests: number): Trust => ({ state: STATES[rests & 3] ?? 'prior', keyframes: rests >>> 2 });

/** To hundredths of a pixel: nobody places finer. */
export const round = (value: number): number => Math.round(value * 100) / 100;

export const emptyPose = (size: number): Pose => ({ absent: false, points: Array<Said>(size).fill(null) });

export const isPoint = (said: Said | undefined): said is Point => typeof said === 'object' && said !== null;

export const saysNothing = (pose: Pose): boolean => !pose.absent && pose.points.every((said) => said === null);

export const sameSaid = (a: Said, b: Said): boolean =>
  isPoint(a) && isPoint(b) ? a.x === b.x && a.y === b.y && a.v === b.v : a === b;

export function humanPose(label: LabelOut): Pose {
  const gone = Array.isArray(label.absent) ? new Set(label.absent) : new Set<number>();
  const points = label.keypoints.map(([x, y, v], index): Said =>
    gone.has(index) ? 'absent' : v > 0 ? { x, y, v: v === 1 ? 1 : 2 } : null,
  );
  return { absent: label.absent === true, points };
}

/** One keypoint as it is drawn. */
export interface Seen {
  x: number;
  y: number;
  hidden: boolean;
  human: boolean;
  radius: number | null;
  /** What the radius rests on, see `trust`. */
  rests?: number;
  score: number | null;
  verdict: Verdict | null;
}

/** A person's word counts before a machine's, keypoint by keypoint. */
export function together(human: Pose | undefined, machine: MachinePose | undefined, size: number): (Seen | null)[] {
  if (human?.absent) return Array<Seen | null>(size).fill(null);
  return Array.from({ length: size }, (_, index): Seen | null => {
    const said = human?.points[index] ?? null;
    if (said === 'absent') return null;
    if (said) return { x: said.x, y: said.y, hidden: said.v === 1, human: true, radius: null, score: null, verdict: null };
    const guess = machine?.points[index];
    if (!guess) return null;
    return {
      x: guess.x,
      y: guess.y,
      hidden: guess.v === 1,
      human: false,
      radius: machine?.radii[index] ?? null,
      ...(machine?.rests ? { rests: machine.rests[index] ?? 0 } : {}),
      score: machine?.scores[index] ?? null,
      verdict: machine?.verdicts[index] ?? null,
    };
  });
}

/** A keypoint where somebody put it. */
export const placed = ({ x, y }: { x: number; y: number }, hidden: boolean): Point => ({ x: round(x), y: round(y), v: hidden ? 1 : 2 });

/** A pose with a machine's points where a person says nothing. */
export function adopted(pose: Pose, machine: (Point | null)[]): Pose {
  const points = pose.points.map((said, index): Said => {
    const point = machine[index];
    return said ?? (point ? placed(point, point.v === 1) : null);
  });
  return { absent: pose.absent, points };
}

/** A pose with everything that is seen of it moved. */
export function shifted(pose: Pose, seen: (Seen | null)[], by: { x: number; y: number }): Pose {
  const points = pose.points.map((said, index): Said => {
    const point = seen[index];
    return point ? placed({ x: point.x + by.x, y: point.y + by.y }, point.hidden) : said;
  });
  return { absent: false, points };
}
