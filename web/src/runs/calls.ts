/** A video's runs over the API. */
import { all, api, given } from '../api/client';
import type { Run } from '../api/types';

/** All runs of a video, hidden ones too; newest first. */
export async function runsOf(video: number): Promise<Run[]> {
  const path = { video_id: video };
  return (await all((page) => api.GET('/api/v1/videos/{video_id}/runs', { params: { path, query: page } }))).reverse();
}

/** Hide a run, or show a hidden one. */
export function toggle(run: Run): Promise<Run> {
  const params = { path: { run_id: run.id } };
  return run.hidden ? given(api.POST('/api/v1/runs/{run_id}/restore', { params })) : given(api.DELETE('/api/v1/runs/{run_id}', { params }));
}
