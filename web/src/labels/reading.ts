/** Reading labels and a machine's poses over the API. */
import { api, given } from '../api/client';
import type { LabelOut, LabelsOut } from '../api/types';

type Layer = 'human' | 'pseudo';

async function window(video: number, layer: Layer, start: number, stop: number): Promise<LabelsOut> {
  const query = { layer, start, stop };
  return (await given(
    api.GET('/api/v1/videos/{video_id}/labels', { params: { path: { video_id: video }, query } }),
  )) as unknown as LabelsOut;
}

/** All of a layer between two frames, window after window. */
export async function labels(
  video: number,
  layer: Layer,
  start: number,
  stop: number,
): Promise<{ revision: number; labels: LabelOut[] }> {
  const found: LabelOut[] = [];
  let revision = 0;
  let at: number | null = start;
  while (at !== null && at < stop) {
    const part: LabelsOut = await window(video, layer, at, stop);
    found.push(...part.labels);
    revision = part.revision;
    at = part.next_start;
  }
  return { revision, labels: found };
}
