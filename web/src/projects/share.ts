/** How much of a video, or of a project's videos, is done. */
import type { Share, Video } from '../api/types';
import { readable } from '../video/readable';

/** From what is surest to what nobody has looked at. */
export const PARTS = ['labelled', 'reviewed', 'propagated'] as const;

/** Whether the service is still counting it. */
export const uncounted = (video: Video): boolean =>
  readable(video) && !video.share?.current;

/** A part of a whole as people read it: nothing is 0 % that is there, and nothing all of it that is not. */
export function percent(part: number, of: number): string {
  if (!part || !of) return '0 %';
  if (part >= of) return '100 %';
  const share = (100 * part) / of;
  return share < 1 ? '< 1 %' : share > 99 ? '> 99 %' : `${Math.round(share)} %`;
}

/** Of all videos together; null where none was counted. */
export function together(videos: readonly Video[]): Share | null {
  const shares = videos.flatMap((video) => (video.share ? [video.share] : []));
  if (!shares.some((share) => share.poses)) return null;
  const sum = (of: 'poses' | (typeof PARTS)[number]) => shares.reduce((total, share) => total + share[of], 0);
  return {
    poses: sum('poses'),
    labelled: sum('labelled'),
    reviewed: sum('reviewed'),
    propagated: sum('propagated'),
    current: shares.every((share) => share.current),
  };
}
