/** Calls that delete and restore. */
import { all, api, given } from '../api/client';
import type { Project, Video } from '../api/types';

export const deletedProjects = (): Promise<Project[]> =>
  all((page) => api.GET('/api/v1/projects', { params: { query: { ...page, deleted: true } } }));

export const deletedVideos = (project: number): Promise<Video[]> =>
  all((page) =>
    api.GET('/api/v1/projects/{project_id}/videos', { params: { path: { project_id: project }, query: { ...page, deleted: true } } }),
  );

export const deleteVideo = (id: number, purge = false) =>
  given(api.DELETE('/api/v1/videos/{video_id}', { params: { path: { video_id: id }, query: { purge } } }));

export const deleteProject = (id: number, purge = false) =>
  given(api.DELETE('/api/v1/projects/{project_id}', { params: { path: { project_id: id }, query: { purge } } }));

export const restoreVideo = (id: number) =>
  given(api.POST('/api/v1/videos/{video_id}/restore', { params: { path: { video_id: id } } }));

export const restoreProject = (id: number) =>
  given(api.POST('/api/v1/projects/{project_id}/restore', { params: { path: { project_id: id } } }));
