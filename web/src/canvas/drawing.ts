/** Drawing skeletons. Pictures are on a canvas of their own, below. */
import { BACKDROP, HALO, OUTLINE, subject as colourOf, SUSPECT } from '../theme/colours';
import { drawCompared } from './compared';
import { drawEdges } from './edges';
import { toScreen, type Spot, type View } from './view';

export interface Shown {
  x: number;
  y: number;
  hidden: boolean;
  human: boolean;
  radius: number | null;
  /** What people said of a machine's point, or that labels below it changed. */
  verdict?: 'accepted' | 'rejected' | 'stale' | null;
  /** Worth a look. */
  suspect?: boolean;
}

export interface Figure {
  track: number;
  points: (Shown | null)[];
  selected: boolean;
  /** What the other of two runs says, where two are compared. */
  other?: readonly (Spot | null)[];
}

export interface Frame {
  edges: readonly (readonly number[])[];
  /** Keypoints of the left side: drawn as squares. */
  left: ReadonlySet<number>;
  figures: Figure[];
  ghost: (Shown | null)[] | null;
  keypoint: number | null;
  /** A radius beyond this, in pixels of the frame, says no more than that the point may be anywhere. */
  vast: number;
  /** How much larger than on a small screen things are drawn, see `grown`. */
  grow: number;
}

export function prepare(canvas: HTMLCanvasElement, width: number, height: number): CanvasRenderingContext2D | null {
  const ratio = window.devicePixelRatio || 1;
  const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== w) canvas.width = w;
  if (canvas.height !== h) canvas.height = h;
  const context = canvas.getContext('2d');
  context?.setTransform(ratio, 0, 0, ratio, 0, 0);
  return context;
}

export function drawPicture(
  context: CanvasRenderingContext2D,
  picture: ImageBitmap | undefined,
  view: View,
  size: { width: number; height: number },
  screen: { width: number; height: number },
): void {
  context.fillStyle = BACKDROP;
  context.fillRect(0, 0, screen.width, screen.height);
  if (!picture) return;
  context.imageSmoothingEnabled = view.scale < 3;
  context.imageSmoothingQuality = 'high';
  context.drawImage(picture, view.left, view.top, size.width * view.scale, size.height * view.scale);
}

export function drawFigures(context: CanvasRenderingContext2D, view: View, frame: Frame): void {
  if (frame.ghost) drawGhost(context, view, frame);
  const order = [...frame.figures].sort((a, b) => Number(a.selected) - Number(b.selected));
  for (const figure of order) {
    drawFigure(context, view, frame, figure);
    if (figure.other) drawCompared(context, view, frame.edges, figure.other, figure.points);
  }
}

function drawGhost(context: CanvasRenderingContext2D, view: View, frame: Frame): void {
  context.save();
  context.globalAlpha = 0.6;
  context.setLineDash([3, 4]);
  drawEdges(context, view, frame.edges, frame.ghost ?? [], HALO, 1.2);
  context.setLineDash([]);
  for (const point of frame.ghost ?? []) {
    if (!point) continue;
    const at = toScreen(view, point);
    for (const [colour, width] of [[OUTLINE, 3.4], [HALO, 1.4]] as const) {
      context.beginPath();
      context.arc(at.x, at.y, 3.2, 0, 2 * Math.PI);
      context.strokeStyle = colour;
      context.lineWidth = width;
      context.stroke();
    }
  }
  context.restore();
}

function drawFigure(context: CanvasRenderingContext2D, view: View, frame: Frame, figure: Figure): void {
  const colour = colourOf(figure.track);
  context.save();
  context.globalAlpha = figure.selected ? 1 : 0.78;
  drawEdges(context, view, frame.edges, figure.points, colour, (figure.selected ? 2.4 : 1.6) * frame.grow);
  figure.points.forEach((point, index) => {
    if (!point) return;
    const at = toScreen(view, point);
    if (point.radius !== null && figure.selected) {
      const chosen = index === frame.keypoint;
      if (point.radius <= frame.vast) ring(context, at, point.radius * view.scale, colour, chosen ? 'filled' : 'thin');
      else if (chosen) ring(context, at, frame.vast * view.scale, colour, 'open');
    }
    if (point.suspect) suspect(context, at, (index === frame.keypoint ? 17 : 12) * frame.grow);
    if (point.verdict === 'rejected') context.globalAlpha = 0.35;
    mark(context, at, point, colour, {
      size: (figure.selected ? 4.6 : 3.4) * frame.grow,
      square: frame.left.has(index),
      chosen: figure.selected && index === frame.keypoint,
    });
    context.globalAlpha = figure.selected ? 1 : 0.78;
  });
  context.restore();
}

/** A larger circle, in pixels of the screen, is not filled: it would veil what is to be looked at. */
const FILLED = 90;

/** Where the keypoint is with a probability of 90 %; filled for the one that is chosen, and dashed where it is wider. */
function ring(context: CanvasRenderingContext2D, at: Spot, radius: number, colour: string, how: 'filled' | 'thin' | 'open'): void {
  if (radius < 2) return;
  const chosen = how !== 'thin';
  context.save();
  if (how === 'open') context.setLineDash([7, 6]);
  context.beginPath();
  context.arc(at.x, at.y, radius, 0, 2 * Math.PI);
  if (how === 'filled' && radius < FILLED) {
    context.globalAlpha = 0.16;
    context.fillStyle = colour;
    context.fill();
  }
  context.globalAlpha = chosen ? 0.95 : 0.5;
  context.lineWidth = chosen ? 1.5 : 1;
  context.strokeStyle = colour;
  context.stroke();
  context.restore();
}

/** A ring around a point that is worth a look. */
function suspect(context: CanvasRenderingContext2D, at: Spot, radius: number): void {
  context.save();
  context.globalAlpha = 1;
  for (const [colour, width] of [[OUTLINE, 4.5], [SUSPECT, 2.2]] as const) {
    context.beginPath();
    context.arc(at.x, at.y, radius, 0, 2 * Math.PI);
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.stroke();
  }
  context.restore();
}

interface Style {
  size: number;
  square: boolean;
  chosen: boolean;
}

function mark(context: CanvasRenderingContext2D, at: Spot, point: Shown, colour: string, style: Style): void {
  const { size, square, chosen } = style;
  const path = (grow: number) => {
    context.beginPath();
    if (square) context.rect(at.x - size - grow + 0.4, at.y - size - grow + 0.4, 2 * (size + grow - 0.4), 2 * (size + grow - 0.4));
    else context.arc(at.x, at.y, size + grow, 0, 2 * Math.PI);
  };
  if (chosen) {
    path(5);
    context.strokeStyle = OUTLINE;
    context.lineWidth = 4;
    context.stroke();
    context.strokeStyle = HALO;
    context.lineWidth = 1.8;
    context.stroke();
  }
  context.setLineDash([]);
  path(1.2);
  context.fillStyle = OUTLINE;
  context.fill();
  path(-0.4);
  if (point.human && !point.hidden) {
    context.fillStyle = colour;
    context.fill();
  }
  context.strokeStyle = colour;
  context.lineWidth = 1.8;
  if (point.hidden) context.setLineDash([2.6, 2.2]);
  context.stroke();
  context.setLineDash([]);
  if (point.verdict === 'accepted') {
    path(-size / 2);
    context.fillStyle = colour;
    context.fill();
  }
  if (point.human && point.hidden) {
    context.beginPath();
    context.arc(at.x, at.y, 1.4, 0, 2 * Math.PI);
    context.fillStyle = colour;
    context.fill();
  }
}
