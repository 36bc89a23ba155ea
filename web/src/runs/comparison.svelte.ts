/** Two runs drawn at once, and how far apart they are. */
import { Blocks } from '../labels/blocks';
import type { MachinePose } from '../labels/pose';
import { block } from '../labels/reading';
import type { RunList } from './list.svelte';
import { paired } from './pair';

export class Comparison {
  /** Ids of the runs that are compared; null where none are. */
  pair = $state.raw<readonly [number, number] | null>(null);
  private poses: readonly [Blocks, Blocks] | null = null;

  constructor(
    private readonly video: number,
    private readonly count: number,
    private readonly runs: RunList,
    private readonly changed: () => void,
  ) {}

  /** Compare a run with the newest other one; without, the two newest. */
  begin(frame: number, run?: number): boolean {
    const pair = paired(this.runs.filled, run);
    if (pair) this.set(pair, frame);
    return pair !== null;
  }

  set(pair: readonly [number, number], frame: number): void {
    this.pair = pair;
    const [first, second] = pair.map((run) => new Blocks((start, stop) => block(this.video, start, stop, run), this.count, this.changed));
    this.poses = first && second ? [first, second] : null;
    this.near(frame);
  }

  end(): void {
    this.pair = this.poses = null;
    this.changed();
  }

  /** Fetch what is near a frame. */
  near(frame: number): void {
    for (const one of this.poses ?? []) one.near(frame);
  }

  at(which: 0 | 1, frame: number, track: number): MachinePose | undefined {
    return this.poses?.[which].at(frame, track);
  }
}
