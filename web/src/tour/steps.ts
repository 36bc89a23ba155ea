/** What is done of the tour, by what the service has: no click on the tour itself ticks anything. */
import { all, api, given } from '../api/client';
import type { LabelOut } from '../api/types';
import { labels } from '../labels/reading';
import { runsOf } from '../runs/calls';
import { readable } from '../video/readable';

export const STEPS = ['ready', 'label', 'propagate', 'fix', 'export'] as const;
export type Step = (typeof STEPS)[number];

/** Frames to label. */
export const FRAMES = 3;

/** How far the labelling is. */
export interface Labelled {
  /** Frames of which everything is said. */
  whole: number;
  /** Keypoints that are still missing on a frame that was begun. */
  missing: number;
}

export interface Seen {
  /** How many steps are done; the next one is the present one. */
  done: number;
  labelled: Labelled;
  /** Why the sample cannot be read. */
  reason: string | null;
}

function missing(label: LabelOut): number {
  if (label.absent === true) return 0;
  const absent = new Set(label.absent ?? []);
  return label.keypoints.filter(([, , v], index) => v === 0 && !absent.has(index)).length;
}

/** How many frames a person has labelled whole. */
export function howFar(said: readonly LabelOut[]): Labelled {
  const left = said.map(missing);
  const begun = left.filter((count) => count > 0);
  return { whole: left.length - begun.length, missing: begun.length ? Math.min(...begun) : 0 };
}

/** Whether a frame was labelled after what a run was made from. */
export const fixed = (said: readonly LabelOut[], revision: number): boolean => said.some((label) => (label.revision ?? 0) > revision);

/** Look how far somebody is, who had done so many steps before: those stay done. */
export async function look(project: number, video: number, before: number): Promise<Seen> {
  const seen: Seen = { done: before, labelled: { whole: 0, missing: 0 }, reason: null };
  const open = (step: Step) => seen.done <= STEPS.indexOf(step);
  const about = await given(api.GET('/api/v1/videos/{video_id}', { params: { path: { video_id: video } } }));
  if (open('ready')) {
    if (about.status === 'rejected') seen.reason = about.reason;
    if (!readable(about)) return seen;
    seen.done = 1;
  }
  const said = open('fix') ? (await labels(video, 'human', 0, about.num_frames ?? 0)).labels : [];
  if (open('label')) {
    seen.labelled = howFar(said);
    if (seen.labelled.whole < FRAMES) return seen;
    seen.done = 2;
  }
  // The oldest: a fix makes runs of its own.
  const run = open('fix') ? (await runsOf(video)).filter((one) => one.state === 'succeeded').at(-1) : undefined;
  if (open('propagate')) {
    if (!run) return seen;
    seen.done = 3;
  }
  if (open('fix')) {
    if (!run || !fixed(said, run.label_revision)) return seen;
    seen.done = 4;
  }
  const exports = await all((page) => api.GET('/api/v1/projects/{project_id}/exports', { params: { path: { project_id: project }, query: page } }));
  if (exports.some((one) => one.state === 'succeeded')) seen.done = STEPS.length;
  return seen;
}
