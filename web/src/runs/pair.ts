/** Which two runs to compare. */
interface Listed {
  id: number;
  hidden: boolean;
}

/** The newest run that is seen, or else the newest, and the one that is asked for or comes next; null where there are no two. */
export function paired(newestFirst: readonly Listed[], asked?: number): readonly [number, number] | null {
  const others = newestFirst.filter((run) => run.id !== asked);
  const first = others.find((run) => !run.hidden) ?? others[0];
  const second = asked ?? others.find((run) => run !== first)?.id;
  return first && second !== undefined ? [first.id, second] : null;
}

/** Another run on one side of a comparison; who takes the other's has the sides change places. */
export function withRun(pair: readonly [number, number], side: 0 | 1, run: number): readonly [number, number] {
  if (pair[1 - side] === run) return [pair[1], pair[0]];
  return side === 0 ? [run, pair[1]] : [pair[0], run];
}
