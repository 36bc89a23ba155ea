/** What somebody holds while dragging, as it is drawn meanwhile. */
import type { Shown } from './drawing';
import type { Hit } from './hits';
import type { Spot } from './view';

export interface Held {
  hit: Hit;
  by: Spot;
  whole: boolean;
}

/** The points of the subject that is held, where they would be if it were let go now. */
export const carried = (points: (Shown | null)[], { hit, by, whole }: Held): (Shown | null)[] =>
  points.map((point, index) =>
    point && (whole || index === hit.keypoint) ? { ...point, x: point.x + by.x, y: point.y + by.y, human: true, radius: null } : point,
  );
