/** The sample of the tour: a rendered walk that comes with the page, and goes the way of any other video. */
import { api, given, once } from '../api/client';
import type { Project, Video } from '../api/types';
import { t } from '../strings';
import walk from './walk.mp4';

/** Few keypoints, so that three frames are labelled in a minute. */
const SKELETON = {
  name: 'walker',
  keypoints: ['nose', 'neck', 'left_wrist', 'right_wrist', 'hip', 'left_knee', 'right_knee', 'left_ankle', 'right_ankle'],
  edges: [[0, 1], [1, 2], [1, 3], [1, 4], [4, 5], [4, 6], [5, 7], [6, 8]] as [number, number][],
  swap: [[2, 3], [5, 6], [7, 8]] as [number, number][],
};

/** A project for the tour. */
export const makeProject = (): Promise<Project> =>
  given(
    api.POST('/api/v1/projects', {
      params: { header: { 'idempotency-key': once() } },
      body: { name: t.tour_project, skeleton: { ...SKELETON, retired: [] } },
    }),
  );

/** Send the sample to a project; it is the same video when it is sent again. */
export async function sendSample(project: number): Promise<Video> {
  const sample = await fetch(walk).catch(() => null);
  if (!sample?.ok) throw new Error(t.tour_no_sample);
  const body = await sample.blob();
  const params = { path: { project_id: project }, query: { filename: t.tour_file } };
  const headers = { 'content-type': 'application/octet-stream' };
  return given(api.POST('/api/v1/projects/{project_id}/videos', { params, headers, body: body as never, bodySerializer: (bytes) => bytes as never }));
}
