/** What propagates a fix. */
import type { Run } from '../api/types';

/** The engine that made the poses which were fixed, where it is one that computes a gap within seconds; else the fastest that looks at the video. */
export function engineOf(run: Pick<Run, 'engine' | 'computed'> | undefined): 'stdpose' | 'flow' {
  // Only stdpose has a network, of which the run says where and how it computed: "auto" chose it then.
  return run?.engine === 'stdpose' || (run?.engine === 'auto' && run.computed !== null) ? 'stdpose' : 'flow';
}
