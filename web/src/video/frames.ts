/** Frames from the service, decoded off the main thread. */
import { BASE, fetched } from '../api/client';
import { Problem } from '../api/problem';
import { DEFAULTS, FrameCache } from './cache';
import type { Size } from './sizes';

const BUDGET_BYTES = 120 * 1024 * 1024;

export const frameUrl = (video: number, index: number, width?: number): string =>
  `${BASE}/videos/${video}/frames/${index}${width ? `?width=${width}` : ''}`;

/** Pauses before a picture is asked for again where no answer came. */
const AGAIN_MS = [250, 1000];

const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => (clearTimeout(timer), reject(new Error('called off'))), { once: true });
  });

/** What the service answers, asked again where a network lost the question or the answer. */
async function answered(url: string, signal: AbortSignal): Promise<Response> {
  for (const ms of AGAIN_MS) {
    try {
      return await fetched(url, signal);
    } catch (error) {
      if (signal.aborted || !(error instanceof Problem) || error.status !== 0) throw error;
      await pause(ms, signal);
    }
  }
  return fetched(url, signal);
}

async function picture(video: number, index: number, width: number | null, signal: AbortSignal): Promise<ImageBitmap> {
  const answer = await answered(frameUrl(video, index, width ?? undefined), signal);
  return createImageBitmap(await answer.blob());
}

/** What is known of a video before its pictures are here. */
export interface Footage {
  id: number;
  num_frames: number | null;
  width: number | null;
  height: number | null;
}

/** The size of a video's frames. */
export const sizeOf = (video: Footage): Size => ({ width: video.width ?? 1920, height: video.height ?? 1080 });

/** How many pictures of a size fit into some memory; more than those nearby are not wanted for long. */
const fits = (size: Size, bytes: number, least: number): number =>
  Math.max(least, Math.min(160, Math.floor(bytes / (size.width * size.height * 4))));

/**
 * A cache for one video, as many pictures as fit into its share of memory.
 *
 * @param width - To which they are shrunk; null for as they are.
 * @param alone - Whether those nearby are not fetched as well, and few are kept.
 */
export function framesOf(
  video: Footage,
  width: number | null,
  arrived: (index: number) => void,
  failed: (index: number, error: unknown) => void,
  alone = false,
): FrameCache<ImageBitmap> {
  const size = sizeOf(video);
  const shown = width === null ? size : { width, height: (width / size.width) * size.height };
  const load = (index: number, signal: AbortSignal) => picture(video.id, index, width, signal);
  const few = { ahead: 0, behind: 0, capacity: fits(shown, BUDGET_BYTES / 2, 2) };
  const options = alone ? few : { capacity: fits(shown, BUDGET_BYTES, 12) };
  return new FrameCache(load, video.num_frames ?? 0, arrived, failed, { ...DEFAULTS, ...options });
}
