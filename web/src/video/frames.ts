/** Frames from the service, decoded off the main thread. */
import { BASE } from '../api/client';
import { problemOf } from '../api/problem';
import { DEFAULTS, FrameCache } from './cache';

const BUDGET_BYTES = 120 * 1024 * 1024;

export const frameUrl = (video: number, index: number, width?: number): string =>
  `${BASE}/videos/${video}/frames/${index}${width ? `?width=${width}` : ''}`;

async function picture(video: number, index: number, signal: AbortSignal): Promise<ImageBitmap> {
  const answer = await fetch(frameUrl(video, index), { signal });
  if (!answer.ok) throw problemOf(answer.status, await answer.json().catch(() => null));
  return createImageBitmap(await answer.blob());
}

/** A cache for one video, as many pictures as fit into its share of memory. */
export function framesOf(
  video: { id: number; num_frames: number | null; width: number | null; height: number | null },
  arrived: (index: number) => void,
  failed: (index: number, error: unknown) => void,
): FrameCache<ImageBitmap> {
  const bytes = (video.width ?? 1920) * (video.height ?? 1080) * 4;
  const capacity = Math.max(12, Math.min(160, Math.floor(BUDGET_BYTES / bytes)));
  const load = (index: number, signal: AbortSignal) => picture(video.id, index, signal);
  return new FrameCache(load, video.num_frames ?? 0, arrived, failed, { ...DEFAULTS, capacity });
}
