/** A skeleton while somebody changes it. */
import type { Skeleton } from '../api/types';
import { pairs } from './pairs';

export interface DraftPoint {
  name: string;
  /** Its name in the skeleton that is changed; null where it is new. */
  was: string | null;
  retired: boolean;
  /** Where it is drawn, in a square of 100; null where it was not placed yet. */
  at: { x: number; y: number } | null;
}

export interface Draft {
  name: string;
  points: readonly DraftPoint[];
  edges: readonly (readonly [number, number])[];
  swap: readonly (readonly [number, number])[];
  sigmas: readonly number[] | null;
}

type Pair = readonly [number, number];
const same = (a: Pair, b: Pair): boolean => (a[0] === b[0] && a[1] === b[1]) || (a[0] === b[1] && a[1] === b[0]);
const ends = (pair: readonly number[]): Pair => [pair[0] ?? 0, pair[1] ?? 0];

/** Places on a circle, for skeletons of which nothing is known. */
export const circle = (count: number): { x: number; y: number }[] =>
  Array.from({ length: count }, (_, index) => {
    const angle = (2 * Math.PI * index) / Math.max(1, count) - Math.PI / 2;
    return { x: Math.round(50 + 40 * Math.cos(angle)), y: Math.round(50 + 40 * Math.sin(angle)) };
  });

/** A draft of a skeleton; `kept` where it changes one that has labels, so that names are followed. */
export function draftOf(skeleton: Skeleton, places: readonly ({ x: number; y: number } | null)[] | null, kept: boolean): Draft {
  const retired = new Set(skeleton.retired ?? []);
  const at = places ?? circle(skeleton.keypoints.length);
  return {
    name: skeleton.name,
    points: skeleton.keypoints.map((name, index) => ({ name, was: kept ? name : null, retired: retired.has(name), at: at[index] ?? null })),
    edges: (skeleton.edges ?? []).map(ends),
    swap: (skeleton.swap ?? []).map(ends),
    sigmas: skeleton.sigmas ?? null,
  };
}

/** A draft of which keypoints and edges were typed anew: what else is known of keypoints whose names are still there stays. */
export function retyped(draft: Draft, typed: Pick<Skeleton, 'keypoints'> & { edges: readonly (readonly number[])[] }): Draft {
  const { keypoints } = typed;
  const before = draft.points.map((point) => point.name.trim());
  const same = keypoints.join('\n') === before.join('\n');
  const swap = draft.swap
    .map((pair): Pair => ends(pair.map((index) => keypoints.indexOf(before[index] ?? ''))))
    .filter((pair) => pair.every((index) => index >= 0));
  // Names tell the other side of what is new.
  const fresh = pairs(keypoints).filter((pair) => pair.some((index) => !before.includes(keypoints[index] ?? '')));
  const unpaired = fresh.filter((pair) => !swap.some((other) => pair.some((index) => other.includes(index))));
  const read = { name: draft.name, keypoints, edges: typed.edges.map((edge) => [...edge]), swap: [...swap, ...unpaired].map((pair) => [...pair]) };
  return draftOf({ ...read, ...(same && draft.sigmas ? { sigmas: [...draft.sigmas] } : {}) } as Skeleton, same ? draft.points.map((point) => point.at) : null, false);
}

export const emptyDraft = (): Draft => ({ name: '', points: [], edges: [], swap: [], sigmas: null });

/** The skeleton as the service takes it. */
export function skeletonOf(draft: Draft, name: string): Skeleton {
  const keypoints = draft.points.map((point) => point.name.trim());
  return {
    name: draft.name || name,
    keypoints,
    edges: draft.edges.map((pair) => [...pair]),
    swap: draft.swap.map((pair) => [...pair]),
    retired: draft.points.filter((point) => point.retired).map((point) => point.name.trim()),
    ...(draft.sigmas?.length === keypoints.length ? { sigmas: [...draft.sigmas] } : {}),
  };
}

/** The side of a new keypoint follows its name. */
export function add(draft: Draft, name: string, at: { x: number; y: number } | null): Draft {
  return sided({ ...draft, points: [...draft.points, { name, was: null, retired: false, at }], sigmas: null }, draft.points.length);
}

/** With the other side of a keypoint, where its name tells which that is and neither has one yet. */
function sided(draft: Draft, index: number): Draft {
  const found = pairs(draft.points.map((point) => point.name.trim())).filter((pair) => pair.includes(index));
  const fresh = found.filter((pair) => !draft.swap.some((other) => pair.some((one) => other.includes(one))));
  return fresh.length ? { ...draft, swap: [...draft.swap, ...fresh] } : draft;
}

/** Pairs that names suggest, of keypoints that have no other side yet. */
export function suggested(draft: Draft): Pair[] {
  const paired = new Set(draft.swap.flat());
  const found = pairs(draft.points.map((point) => point.name.trim()));
  return found.filter((pair) => pair.every((index) => !paired.has(index) && !draft.points[index]?.retired));
}

/** With all pairs that names suggest. */
export const pairAll = (draft: Draft): Draft => ({ ...draft, swap: [...draft.swap, ...suggested(draft)] });

export const rename = (draft: Draft, index: number, name: string): Draft =>
  sided({ ...draft, points: draft.points.map((point, at) => (at === index ? { ...point, name } : point)) }, index);

export const place = (draft: Draft, index: number, at: { x: number; y: number }): Draft => ({
  ...draft,
  points: draft.points.map((point, one) => (one === index ? { ...point, at } : point)),
});

export const retire = (draft: Draft, index: number, retired: boolean): Draft => ({
  ...draft,
  points: draft.points.map((point, at) => (at === index ? { ...point, retired } : point)),
});

/** Without a keypoint; edges and pairs that named it go with it. */
export function remove(draft: Draft, index: number): Draft {
  const moved = (pairs_: readonly Pair[]): Pair[] =>
    pairs_.filter((pair) => !pair.includes(index)).map(([a, b]): Pair => [a > index ? a - 1 : a, b > index ? b - 1 : b]);
  return {
    ...draft,
    points: draft.points.filter((_, at) => at !== index),
    edges: moved(draft.edges),
    swap: moved(draft.swap),
    sigmas: draft.sigmas?.filter((_, at) => at !== index) ?? null,
  };
}

/** Draw an edge, or take it away where it is. */
export function toggleEdge(draft: Draft, a: number, b: number): Draft {
  if (a === b) return draft;
  const without = draft.edges.filter((edge) => !same(edge, [a, b]));
  return { ...draft, edges: without.length === draft.edges.length ? [...without, [a, b]] : without };
}

/** Say which keypoint is on the other side; null for none. */
export function pairUp(draft: Draft, index: number, other: number | null): Draft {
  const swap = draft.swap.filter((pair) => !pair.includes(index) && (other === null || !pair.includes(other)));
  return { ...draft, swap: other === null ? swap : [...swap, [index, other]] };
}

export const otherSide = (draft: Draft, index: number): number | null => {
  const pair = draft.swap.find((one) => one.includes(index));
  return pair ? (pair[0] === index ? pair[1] : pair[0]) : null;
};

/** The first keypoint that was not placed yet. */
export const unplaced = (draft: Draft): number | null => {
  const index = draft.points.findIndex((point) => point.at === null);
  return index < 0 ? null : index;
};

export type Fault = { kind: 'none' } | { kind: 'unnamed'; number: number } | { kind: 'twice'; name: string };

export function fault(draft: Draft): Fault | null {
  if (!draft.points.length) return { kind: 'none' };
  const names = draft.points.map((point) => point.name.trim());
  const unnamed = names.indexOf('');
  if (unnamed >= 0) return { kind: 'unnamed', number: unnamed + 1 };
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  return twice === undefined ? null : { kind: 'twice', name: twice };
}
