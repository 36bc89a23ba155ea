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

/** What keys do to what is looked at. */
export type Look = 'fit' | 'fit_subject' | 'zoom_in' | 'zoom_out' | keyof typeof PANS;

/** Where keys that pan look, as shares of the screen. */
export const PANS = {
  pan_left: { x: -0.1, y: 0 },
  pan_right: { x: 0.1, y: 0 },
  pan_up: { x: 0, y: -0.1 },
  pan_down: { x: 0, y: 0.1 },
} as const satisfies Record<string, Spot>;

const CLOSEST = 64;

/** How much larger things are drawn on a large screen: on one of 4K whose pixels nobody enlarges a point is as small as a dot. */
export const grown = (screen: Size): number => Math.min(1.8, Math.max(1, Math.min(screen.width, screen.height) / 1000));

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

/** Look a share of the screen further. */
export const pan = (view: View, by: Spot, screen: Size): View => ({
  ...view,
  left: view.left - by.x * screen.width,
  top: view.top - by.y * screen.height,
});

/** Two fingers went from two spots of the screen to two others. */
export function pinch(view: View, from: readonly [Spot, Spot], to: readonly [Spot, Spot], least: number): View {
  const far = ([a, b]: readonly [Spot, Spot]) => Math.max(1, Math.hypot(a.x - b.x, a.y - b.y));
  const middle = ([a, b]: readonly [Spot, Spot]) => ({ x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 });
  const [was, is] = [middle(from), middle(to)];
  const zoomed = zoom(view, far(to) / far(from), was, least);
  return { ...zoomed, left: zoomed.left + is.x - was.x, top: zoomed.top + is.y - was.y };
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
