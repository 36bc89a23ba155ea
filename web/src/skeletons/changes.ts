/** What becomes of existing labels when a skeleton is changed. */
import type { Skeleton } from '../api/types';
import type { Draft } from './draft';

export type Change =
  | { kind: 'renamed'; from: string; to: string }
  | { kind: 'added' | 'retired' | 'restored' | 'removed'; name: string }
  | { kind: 'edges' | 'pairs'; added: number; gone: number };

const key = (pair: readonly number[]): string => [...pair].sort((a, b) => a - b).join('-');

/** In the order of what touches labels most. */
export function changes(before: Skeleton, draft: Draft): Change[] {
  const found: Change[] = [];
  const retired = new Set(before.retired ?? []);
  const still = new Set(draft.points.map((point) => point.was));
  for (const name of before.keypoints) if (!still.has(name)) found.push({ kind: 'removed', name });
  for (const point of draft.points) {
    const name = point.name.trim();
    if (point.was === null) found.push({ kind: 'added', name });
    else {
      if (point.was !== name) found.push({ kind: 'renamed', from: point.was, to: name });
      if (point.retired !== retired.has(point.was)) found.push({ kind: point.retired ? 'retired' : 'restored', name });
    }
  }
  for (const kind of ['edges', 'pairs'] as const) {
    const [old, now] = kind === 'edges' ? [before.edges ?? [], draft.edges] : [before.swap ?? [], draft.swap];
    const [had, has] = [new Set(old.map(key)), new Set(now.map(key))];
    const added = [...has].filter((one) => !had.has(one)).length;
    const gone = [...had].filter((one) => !has.has(one)).length;
    if (added || gone) found.push({ kind, added, gone });
  }
  return found;
}
