/** The lab's projects, which several screens look at. */
import { all, api } from '../api/client';
import { Reading } from '../api/asked.svelte';
import type { Project, Video } from '../api/types';

export const projects = new Reading<Project[]>(() => all((page) => api.GET('/api/v1/projects', { params: { query: page } })));

/** All videos of a project. */
export const videosOf = (project: number): Promise<Video[]> =>
  all((page) =>
    api.GET('/api/v1/projects/{project_id}/videos', { params: { path: { project_id: project }, query: page } }),
  );
