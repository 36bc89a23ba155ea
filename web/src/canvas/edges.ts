/** The lines between keypoints. */
import { OUTLINE } from '../theme/colours';
import { toScreen, type Spot, type View } from './view';

export function drawEdges(
  context: CanvasRenderingContext2D,
  view: View,
  pairs: readonly (readonly number[])[],
  points: readonly (Spot | null)[],
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
