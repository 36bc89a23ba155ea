/** Drawing the other of two runs: dashed, in a colour of its own, with diamonds, and lines to where the first one is. */
import { COMPARED, OUTLINE } from '../theme/colours';
import { drawEdges } from './edges';
import { toScreen, type Spot, type View } from './view';

const SIZE = 4.6;
/** Points that are nearer than this on the screen lie on each other. */
const APART_PX = 4;

type Points = readonly (Spot | null)[];

export function drawCompared(context: CanvasRenderingContext2D, view: View, pairs: readonly (readonly number[])[], points: Points, first: Points): void {
  context.save();
  context.setLineDash([6, 5]);
  drawEdges(context, view, pairs, points, COMPARED, 1.6);
  context.setLineDash([]);
  points.forEach((point, index) => {
    if (!point) return;
    const at = toScreen(view, point);
    const other = first[index];
    const from = other && toScreen(view, other);
    if (from && Math.hypot(from.x - at.x, from.y - at.y) > APART_PX) line(context, from, at);
    diamond(context, at);
  });
  context.restore();
}

function line(context: CanvasRenderingContext2D, from: Spot, to: Spot): void {
  context.beginPath();
  context.moveTo(from.x, from.y);
  context.lineTo(to.x, to.y);
  context.globalAlpha = 0.7;
  context.strokeStyle = COMPARED;
  context.lineWidth = 1;
  context.stroke();
  context.globalAlpha = 1;
}

function diamond(context: CanvasRenderingContext2D, { x, y }: Spot): void {
  const path = (size: number) => {
    context.beginPath();
    context.moveTo(x, y - size);
    context.lineTo(x + size, y);
    context.lineTo(x, y + size);
    context.lineTo(x - size, y);
    context.closePath();
  };
  path(SIZE + 1.4);
  context.fillStyle = OUTLINE;
  context.fill();
  path(SIZE);
  context.strokeStyle = COMPARED;
  context.lineWidth = 1.8;
  context.stroke();
}
