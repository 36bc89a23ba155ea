/** What the timeline shows of each subject: people's keyframes as they are here, the rest as the service told of it. */
import type { Lane } from '../timeline/draw';
import type { Desk } from './desk.svelte';

export function lanesOf(desk: Desk): Lane[] {
  const known = new Map(desk.labels.machine.overview?.lanes.map((lane) => [lane.track_id, lane]));
  return desk.tracks.map((one) => {
    const lane = known.get(one.id);
    return {
      track: one.id,
      name: one.name,
      keyframes: desk.labels.keyframes(one.id),
      scores: desk.labels.machine.scores.get(one.id),
      accepted: lane?.accepted ?? [],
      rejected: lane?.rejected ?? [],
      absent: lane?.absent ?? [],
      stale: lane?.stale ?? [],
      selected: one.id === desk.track,
    };
  });
}
