/** Drawing skeletons. Pictures are on a canvas of their own, below. */
import { BACKDROP, HALO, OUTLINE, subject as colourOf } from '../theme/colours';
import { toScreen, type Spot, type View } from './view';

export interface Shown {
  x: number;
  y: number;
  hidden: boolean;
  human: boolean;
  radius: number | null;
}

export interface Figure {
  track: number;
  points: (Shown | null)[];
  selected: boolean;
}

export interface Frame {
  edges: readonly (readonly number[])[];
  /** Keypoints of the left side: drawn as squares. */
  left: ReadonlySet<number>;
  figures: Figure[];
  ghost: (Shown | null)[] | null;
  keypoint: number | null;
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
  for (const figure of order) drawFigure(context, view, frame, figure);
}

function drawGhost(context: CanvasRenderingContext2D, view: View, frame: Frame): void {
  context.save();
  context.globalAlpha = 0.45;
  context.setLineDash([3, 4]);
  edges(context, view, frame.edges, frame.ghost ?? [], HALO, 1.2);
  context.restore();
}

function drawFigure(context: CanvasRenderingContext2D, view: View, frame: Frame, figure: Figure): void {
  const colour = colourOf(figure.track);
  context.save();
  context.globalAlpha = figure.selected ? 1 : 0.78;
  edges(context, view, frame.edges, figure.points, colour, figure.selected ? 2.4 : 1.6);
  figure.points.forEach((point, index) => {
    if (!point) return;
    const at = toScreen(view, point);
    if (point.radius !== null && figure.selected) ring(context, at, point.radius * view.scale, colour, index === frame.keypoint);
    mark(context, at, point, colour, {
      size: figure.selected ? 4.6 : 3.4,
      square: frame.left.has(index),
      chosen: figure.selected && index === frame.keypoint,
    });
  });
  context.restore();
}

function edges(
  context: CanvasRenderingContext2D,
  view: View,
  pairs: readonly (readonly number[])[],
  points: (Shown | null)[],
  colour: string,
  width: number,
): void {
  context.beginPath();
  for (const [a, b] of pairs) {
    const [from, to] = [points[a ?? -1], points[b ?? -1]];
    if (!from || !to) continue;
    const [start, end] = [toScreen(view, from), toScreen(view, to)];
    context.moveTo(start.x, start.y);
    context.lineTo(end.x, end.y);
  }
  context.lineCap = 'round';
  context.strokeStyle = OUTLINE;
  context.lineWidth = width + 2;
  context.stroke();
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.stroke();
}

/** Where the keypoint is with a probability of 90 %; filled for the one that is chosen. */
function ring(context: CanvasRenderingContext2D, at: Spot, radius: number, colour: string, chosen: boolean): void {
  if (radius < 2) return;
  context.save();
  context.beginPath();
  context.arc(at.x, at.y, radius, 0, 2 * Math.PI);
  if (chosen) {
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
  if (point.human && point.hidden) {
    context.beginPath();
    context.arc(at.x, at.y, 1.4, 0, 2 * Math.PI);
    context.fillStyle = colour;
    context.fill();
  }
}

/** Keypoints that their names say are on the left. */
export function leftSide(names: readonly string[]): Set<number> {
  const left = new Set<number>();
  names.forEach((name, index) => {
    if (/(^|[_\s-])(left|l)([_\s-]|$)|^left|left$/i.test(name) || /[a-z]L\d*$/.test(name)) left.add(index);
  });
  return left;
}
