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
export type Track = S['TrackOut'];
export type Run = S['RunOut'];
export type Job = S['JobOut'];
export type Me = S['Me'];

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
  revision: number;
}
