import { describe, expect, it } from 'vitest';
import { paired, withRun } from './pair';

const runs = [{ id: 9, hidden: true }, { id: 7, hidden: false }, { id: 4, hidden: false }];

describe('two runs to compare', () => {
  it('are the one that is seen and the one that was asked for', () => {
    expect([paired(runs, 4), paired(runs, 9), paired(runs, 7)]).toEqual([[7, 4], [7, 9], [4, 7]]);
  });
  it('are the newest where none was asked for, those that are seen first', () => {
    expect(paired(runs)).toEqual([7, 9]);
    expect([paired([{ id: 3, hidden: true }, { id: 2, hidden: true }]), paired(runs.slice(0, 1)), paired([])]).toEqual([[3, 2], null, null]);
  });
  it('change places where one is put in the place of the other', () => {
    expect([withRun([7, 4], 0, 9), withRun([7, 4], 1, 9), withRun([7, 4], 0, 4)]).toEqual([[9, 4], [7, 9], [4, 7]]);
  });
});
