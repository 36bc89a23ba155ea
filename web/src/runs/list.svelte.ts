/** The runs of the video that is looked at. */
import type { Run } from '../api/types';
import { runsOf } from './calls';

export class RunList {
  items = $state.raw<Run[]>([]);

  constructor(private readonly video: number) {}

  /** First frames of shots, as the newest run that is seen has them. */
  get cuts(): readonly number[] {
    return this.items.find((run) => !run.hidden)?.cuts ?? [];
  }

  /** The run that is under way, if one is. */
  get going(): Run | undefined {
    return this.items.find((run) => run.state === 'queued' || run.state === 'running');
  }

  /** The run in whose place a fitted one is about to come, if there is one. */
  get fitting(): Run | undefined {
    return this.items.find((run) => run.stage === 1 && ['queued', 'running'].includes(run.other_stage?.state ?? '') && run.state === 'succeeded');
  }

  /** Those of which there are poses. */
  get filled(): Run[] {
    return this.items.filter((run) => run.segments_done > 0);
  }

  async read(): Promise<void> {
    this.items = await runsOf(this.video);
  }
}
