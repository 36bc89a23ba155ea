/** How a frame lies on the screen. Pixel centres are at integers, so a frame of width w reaches from -0.5 to w - 0.5. */
export interface View {
  scale: number;
  /** Screen position of the frame's top left corner. */
  left: number;
  top: number;
}

export interface Size {
  width: number;
  height: number;
}

export interface Spot {
  x: number;
  y: number;
}

const CLOSEST = 64;

export const toScreen = (view: View, at: Spot): Spot => ({
  x: (at.x + 0.5) * view.scale + view.left,
  y: (at.y + 0.5) * view.scale + view.top,
});

export const toFrame = (view: View, at: Spot): Spot => ({
  x: (at.x - view.left) / view.scale - 0.5,
  y: (at.y - view.top) / view.scale - 0.5,
});

/** All of the frame, in the middle. */
export function fit(frame: Size, screen: Size, margin = 0): View {
  const scale = Math.min((screen.width - 2 * margin) / frame.width, (screen.height - 2 * margin) / frame.height);
  const good = Number.isFinite(scale) && scale > 0 ? scale : 1;
  return {
    scale: good,
    left: (screen.width - frame.width * good) / 2,
    top: (screen.height - frame.height * good) / 2,
  };
}

/** Zoom so that what is under a spot of the screen stays there. */
export function zoom(view: View, factor: number, at: Spot, least: number): View {
  const scale = Math.min(CLOSEST, Math.max(least, view.scale * factor));
  const ratio = scale / view.scale;
  return { scale, left: at.x - (at.x - view.left) * ratio, top: at.y - (at.y - view.top) * ratio };
}

/** So that a spot is in the middle, with so many pixels of the frame across the screen's shorter side. */
export function around(at: Spot, across: number, screen: Size): View {
  const scale = Math.min(CLOSEST, Math.min(screen.width, screen.height) / Math.max(1, across));
  return { scale, left: screen.width / 2 - (at.x + 0.5) * scale, top: screen.height / 2 - (at.y + 0.5) * scale };
}

/** So that some points fill the screen, with some room around them. */
export function fitPoints(points: Spot[], screen: Size, most = 12): View | null {
  if (!points.length) return null;
  const xs = points.map((point) => point.x);
  const ys = points.map((point) => point.y);
  const [left, top] = [Math.min(...xs), Math.min(...ys)];
  const [width, height] = [Math.max(...xs) - left + 1, Math.max(...ys) - top + 1];
  const scale = Math.min(most, (screen.width * 0.7) / width, (screen.height * 0.7) / height);
  return {
    scale,
    left: screen.width / 2 - (left + width / 2) * scale,
    top: screen.height / 2 - (top + height / 2) * scale,
  };
}
