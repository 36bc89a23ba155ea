/** The API's shapes by short names. */
import type { components } from './schema';

/** As calls give it: openapi-fetch reads fixed-length arrays as arrays. */
type Given<T> = T extends readonly (infer E)[]
  ? Given<E>[]
  : T extends object
    ? { [K in keyof T]: Given<T[K]> }
    : T;
type S = { [K in keyof components['schemas']]: Given<components['schemas'][K]> };
export type Project = S['ProjectOut'];
export type Skeleton = Project['skeleton'];
export type Video = S['VideoOut'];
export type Share = S['ShareOut'];
export type Track = S['TrackOut'];
export type Run = S['RunOut'];
export type Job = S['JobOut'];
export type JobLine = S['JobLineOut'];
export type Review = S['ReviewOut'];
export type ReviewIn = S['ReviewIn'];
export type Me = S['Me'];
export type Checkpoint = S['CheckpointOut'];
export type Export = S['ExportOut'];
export type ExportPreview = S['ExportPreview'];
export type ExportWanted = Partial<S['ExportIn']>;
export type ExportFormat = NonNullable<ExportWanted['format']>;
export type Key = S['KeyOut'];
export type Entry = S['EntryOut'];
export type Lab = S['LabOut'];
export type LabUsage = S['LabUsage'];
export type Source = 'human' | 'accepted' | 'pseudo';

/** A label as `GET /videos/{id}/labels` has it. */
export interface LabelOut {
  frame_index: number;
  track_id: number;
  keypoints: [number, number, number][];
  source: 'human' | 'accepted' | 'pseudo';
  revision?: number | null;
  run_id?: number | null;
  score?: number | null;
  keypoint_scores?: number[] | null;
  keypoint_radius90?: number[] | null;
  absent?: true | number[] | null;
}

export interface LabelsOut {
  revision: number;
  start: number;
  stop: number;
  next_start: number | null;
  labels: LabelOut[];
}

type Range = [number, number];

/** A track on the timeline as `GET /videos/{id}/timeline` has it. */
export interface TimelineLane {
  track_id: number;
  flags: number[];
  score: (number | null)[];
  radius90: (number | null)[];
  keyframes: number[] | null;
  spans: [number, number, number][] | null;
  accepted: Range[] | null;
  rejected: Range[] | null;
  absent: Range[] | null;
  stale: Range[] | null;
}

export interface Timeline {
  revision: number;
  start: number;
  stop: number;
  buckets: number;
  cuts: number[];
  damaged: Range[];
  lanes: TimelineLane[];
}

export type Quantity = 'radius90' | 'speed' | 'x' | 'y' | 'difference';

/** One number of each frame of a track, in buckets, as `GET /videos/{id}/curves` has it. */
export interface Curve {
  start: number;
  stop: number;
  buckets: number;
  low: (number | null)[];
  high: (number | null)[];
}

/** A pose that is worth a look, as `GET /videos/{id}/review-queue` has it. */
export interface Suggestion {
  video_id: number;
  frame_index: number;
  track_id: number;
  reason: string;
  predicted_gain: number | null;
  keypoint: number;
  score: number;
  radius90: number;
  pose: LabelOut;
}

export interface ReviewQueuePage {
  items: Suggestion[];
  next_cursor: string | null;
  waiting: number;
}

export interface LabelIn {
  frame_index: number;
  track_id: number;
  keypoints?: [number, number, number][];
  absent?: boolean | number[];
}

export interface Conflict {
  frame_index: number;
  track_id: number;
  yours: [number, number, number][];
  theirs: [number, number, number][];
  /** What the other version says is absent: the subject, or keypoints. */
  theirs_absent?: true | number[];
  revision: number;
}
