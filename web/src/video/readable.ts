import type { Video } from '../api/types';

/** Whether frames of a video can be looked at. */
export const readable = (video: Pick<Video, 'status'>): boolean => video.status === 'ready' || video.status === 'degraded';
