/** What is under the pointer, in pixels of the screen whatever the zoom. */
import { toScreen, type Spot, type View } from './view';

const HIT_PX = 11;
export const DRAG_PX = 3;

export interface Target {
  track: number;
  points: ({ x: number; y: number } | null)[];
}

export interface Hit {
  track: number;
  keypoint: number;
}

/** The nearest keypoint within reach. Those of the selected subject count as a little nearer, to break ties. */
export function hit(view: View, at: Spot, targets: Target[], selected: number | null): Hit | null {
  let best: Hit | null = null;
  let nearest = HIT_PX;
  for (const { track, points } of targets)
    points.forEach((point, keypoint) => {
      if (!point) return;
      const screen = toScreen(view, point);
      const away = Math.hypot(screen.x - at.x, screen.y - at.y) - (track === selected ? 1.5 : 0);
      if (away < nearest) {
        nearest = away;
        best = { track, keypoint };
      }
    });
  return best;
}

export const moved = (from: Spot, to: Spot): boolean => Math.hypot(to.x - from.x, to.y - from.y) > DRAG_PX;
