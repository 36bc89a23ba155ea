/** Reading labels and a machine's poses over the API. */
import { api, given } from '../api/client';
import type { Curve, LabelOut, LabelsOut, Quantity, Timeline } from '../api/types';
import { Block } from './block';

type Layer = 'human';

/** A window of a machine's poses: what is seen, or those of one run. */
export async function block(video: number, start: number, stop: number, run?: number): Promise<Block> {
  const query = { layer: 'pseudo' as const, start, stop, states: true, ...(run === undefined ? {} : { run_id: run }) };
  const params = { path: { video_id: video }, query };
  return new Block((await given(api.GET('/api/v1/videos/{video_id}/poses', { params, parseAs: 'arrayBuffer' }))) as unknown as ArrayBuffer);
}

/** The whole video in as many buckets as there may be. */
export async function overview(video: number): Promise<Timeline> {
  const params = { path: { video_id: video }, query: { buckets: 4096 } };
  return (await given(api.GET('/api/v1/videos/{video_id}/timeline', { params }))) as unknown as Timeline;
}

export interface CurveWanted {
  quantity: Quantity;
  track: number;
  keypoint: number | null;
  /** Frames from the first up to the one after the last. */
  start: number;
  stop: number;
  buckets: number;
  /** The runs that are compared. */
  runs: readonly [number, number] | null;
}

export async function curve(video: number, wanted: CurveWanted): Promise<Curve> {
  const { quantity, track, keypoint, start, stop, buckets, runs } = wanted;
  const compared = quantity === 'difference' && runs ? { run_id: runs[0], against: runs[1] } : {};
  const query = { quantity, track_id: track, start, stop, buckets, ...(keypoint === null ? {} : { keypoint }), ...compared };
  return (await given(api.GET('/api/v1/videos/{video_id}/curves', { params: { path: { video_id: video }, query } }))) as unknown as Curve;
}

async function window(
  video: number,
  layer: Layer,
  start: number,
  stop: number,
  revision?: number,
): Promise<LabelsOut> {
  const query = { layer, start, stop, ...(revision === undefined ? {} : { revision }) };
  return (await given(
    api.GET('/api/v1/videos/{video_id}/labels', { params: { path: { video_id: video }, query } }),
  )) as unknown as LabelsOut;
}

/** All of a layer between two frames, window after window, as of one revision. */
export async function labels(
  video: number,
  layer: Layer,
  start: number,
  stop: number,
): Promise<{ revision: number; labels: LabelOut[] }> {
  const found: LabelOut[] = [];
  let revision: number | undefined;
  let at: number | null = start;
  while (at !== null && at < stop) {
    const part: LabelsOut = await window(video, layer, at, stop, revision);
    found.push(...part.labels);
    revision ??= part.revision;
    at = part.next_start;
  }
  return { revision: revision ?? 0, labels: found };
}
