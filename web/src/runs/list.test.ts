import { describe, expect, it } from 'vitest';
import type { Run } from '../api/types';
import { RunList } from './list.svelte';

const run = (id: number, stage: Run['stage'], state: Run['state'], other: Run['state'] | null) =>
  ({ id, stage, state, hidden: false, other_stage: other && { run_id: id + 1, job_id: 9, state: other } }) as Run;

describe('a propagation of two stages', () => {
  const listed = (...items: Run[]) => Object.assign(new RunList(1), { items });

  it('is under way in its first stage', () => {
    const list = listed(run(3, 1, 'running', 'queued'));
    expect([list.going?.id, list.fitting?.id]).toEqual([3, undefined]);
  });
  it('keeps nobody waiting in its second', () => {
    for (const state of ['queued', 'running'] as const) {
      const list = listed(run(3, 1, 'succeeded', state));
      expect([list.going?.id, list.fitting?.id]).toEqual([undefined, 3]);
    }
  });
  it('is over when the second has ended, however', () => {
    for (const state of ['succeeded', 'failed', 'cancelled'] as const)
      expect(listed(run(3, 1, 'succeeded', state), run(2, null, 'succeeded', null)).fitting).toBeUndefined();
  });
});
