/** Calls about trainings, checkpoints and estimates. */
import { all, api, given, once } from '../api/client';
import type { Checkpoint, Job } from '../api/types';
import type { components } from '../api/schema';

export type Recipe = components['schemas']['TrainingIn'];
const fresh = () => ({ 'idempotency-key': once() });

/** A project's checkpoints, newest first. */
export async function checkpoints(project: number): Promise<Checkpoint[]> {
  const found = await all((page) =>
    api.GET('/api/v1/projects/{project_id}/checkpoints', {
      params: { path: { project_id: project }, query: page },
    }),
  );
  return found.sort((a, b) => b.id - a.id);
}

export const train = (project: number, recipe: Recipe): Promise<Job> =>
  given(api.POST('/api/v1/projects/{project_id}/trainings', { params: { path: { project_id: project }, header: fresh() }, body: recipe }));

export const promote = (checkpoint: number) =>
  given(api.POST('/api/v1/checkpoints/{checkpoint_id}/promote', { params: { path: { checkpoint_id: checkpoint } } }));

export const estimate = (video: number, checkpoint: number): Promise<Job> =>
  given(
    api.POST('/api/v1/videos/{video_id}/estimates', {
      params: { path: { video_id: video }, header: fresh() },
      body: { checkpoint_id: checkpoint, start: 0 },
    }),
  );

/** The training of a project that goes on or waits, if there is one. */
export async function going(project: number): Promise<Job | null> {
  for (const state of ['running', 'queued'] as const) {
    const jobs = await all((page) => api.GET('/api/v1/jobs', { params: { query: { ...page, state, kind: 'train' } } }));
    const found = jobs.find((job) => job.project_id === project);
    if (found) return found;
  }
  return null;
}
