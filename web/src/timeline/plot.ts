/** Drawing the plot above the timeline: one number of each frame, or its least and greatest where many share a pixel. */
import type { TimelineColours } from '../theme/colours';
import { xOf, type Span } from './layout';
import type { Range } from './range';

/** A quantity in buckets of frames. */
export interface Curve {
  /** First frame, and the frame after the last. */
  start: number;
  stop: number;
  buckets: number;
  low: readonly (number | null)[];
  high: readonly (number | null)[];
}

export interface Column {
  x: number;
  low: number;
  high: number;
}

export interface Scale {
  low: number;
  high: number;
}

export const PLOT = 56;
const PAD = 5;

const bucketOf = (curve: Curve, frame: number): number => Math.floor(((frame - curve.start) * curve.buckets) / Math.max(1, curve.stop - curve.start));

/** The greatest value on a frame. */
export const valueAt = (curve: Curve, frame: number): number | null => curve.high[bucketOf(curve, frame)] ?? null;

/** What is to be drawn where; null where nothing is known. */
export function columns(curve: Curve, span: Span, width: number): (Column | null)[] {
  const frames = (curve.stop - curve.start) / Math.max(1, curve.buckets);
  const first = Math.max(0, bucketOf(curve, span.start) - 1);
  const last = Math.min(curve.buckets - 1, bucketOf(curve, span.start + span.length) + 1);
  const of = (from: number, to: number, x: number): Column | null => {
    let [low, high] = [Infinity, -Infinity];
    for (let bucket = from; bucket <= to; bucket++) {
      low = Math.min(low, curve.low[bucket] ?? Infinity);
      high = Math.max(high, curve.high[bucket] ?? -Infinity);
    }
    return low <= high ? { x, low, high } : null;
  };
  const found: (Column | null)[] = [];
  if ((frames / span.length) * width >= 1) {
    for (let bucket = first; bucket <= last; bucket++) found.push(of(bucket, bucket, xOf(span, width, curve.start + (bucket + 0.5) * frames)));
    return found;
  }
  for (let x = 0; x < width; x++) {
    const from = Math.max(first, bucketOf(curve, span.start + (x / width) * span.length));
    const to = Math.min(last, bucketOf(curve, span.start + ((x + 1) / width) * span.length) - 1);
    found.push(of(from, Math.max(from, to), x + 0.5));
  }
  return found;
}

/** From nothing, or from the least, to the greatest that is seen. */
export function scaleOf(seen: readonly (Column | null)[], fromZero: boolean): Scale | null {
  const known = seen.filter((one) => one !== null);
  if (!known.length) return null;
  const high = Math.max(...known.map((one) => one.high));
  const low = fromZero ? 0 : Math.min(...known.map((one) => one.low));
  return high - low < 1e-6 ? { low: fromZero ? 0 : low - 1, high: high + 1 } : { low, high };
}

export interface Plotted {
  span: Span;
  frame: number;
  range: Range | null;
  seen: readonly (Column | null)[];
  scale: Scale | null;
  /** Greater values lie lower, as on a picture. */
  down: boolean;
}

export function drawPlot(context: CanvasRenderingContext2D, width: number, height: number, plot: Plotted, colours: TimelineColours): void {
  context.fillStyle = colours.ground;
  context.fillRect(0, 0, width, height);
  context.fillStyle = colours.line;
  for (const y of [PAD, height / 2, height - PAD]) context.fillRect(0, Math.round(y), width, 1);
  if (plot.scale) {
    curve(context, height, plot, plot.scale, colours);
    labels(context, height, plot.scale, plot.down, colours);
  }
  drawRange(context, width, height, plot.span, plot.range, colours);
  const x = (xOf(plot.span, width, plot.frame) + xOf(plot.span, width, plot.frame + 1)) / 2;
  context.fillStyle = colours.playhead;
  context.fillRect(Math.round(x) - 1, 0, 2, height);
}

/** The range that somebody chose, over a canvas. */
export function drawRange(context: CanvasRenderingContext2D, width: number, height: number, span: Span, range: Range | null, colours: TimelineColours): void {
  if (!range) return;
  const [from, to] = [xOf(span, width, range[0]), xOf(span, width, range[1])];
  context.save();
  context.fillStyle = colours.range;
  context.globalAlpha = 0.18;
  context.fillRect(from, 0, Math.max(1, to - from), height);
  context.globalAlpha = 1;
  for (const x of [from, to]) context.fillRect(Math.round(x) - 1, 0, 2, height);
  context.restore();
}

function curve(context: CanvasRenderingContext2D, height: number, { seen, down }: Plotted, scale: Scale, colours: TimelineColours): void {
  const y = (value: number): number => {
    const share = (value - scale.low) / (scale.high - scale.low);
    return PAD + (down ? share : 1 - share) * (height - 2 * PAD);
  };
  context.strokeStyle = context.fillStyle = colours.curve;
  context.lineWidth = 1.4;
  context.lineJoin = 'round';
  context.beginPath();
  let before: Column | null = null;
  for (const one of seen) {
    if (one && before) context.lineTo(one.x, y(one.high));
    else if (one) context.moveTo(one.x, y(one.high));
    // A frame alone between two of which nothing is known is a dot.
    if (one && !before) context.fillRect(one.x - 0.75, y(one.high) - 0.75, 1.5, 1.5);
    before = one;
  }
  context.stroke();
  context.globalAlpha = 0.45;
  for (const one of seen) if (one && one.high > one.low) context.fillRect(one.x - 0.5, Math.min(y(one.high), y(one.low)), 1, Math.abs(y(one.high) - y(one.low)));
  context.globalAlpha = 1;
}

function labels(context: CanvasRenderingContext2D, height: number, scale: Scale, down: boolean, colours: TimelineColours): void {
  const [top, bottom] = down ? [scale.low, scale.high] : [scale.high, scale.low];
  context.font = '10px system-ui, sans-serif';
  context.textBaseline = 'middle';
  for (const [value, y] of [[top, PAD + 5], [bottom, height - PAD - 5]] as const) {
    const text = value.toFixed(Math.abs(value) < 10 ? 1 : 0);
    context.fillStyle = colours.ground;
    context.globalAlpha = 0.8;
    context.fillRect(2, y - 6, context.measureText(text).width + 5, 12);
    context.globalAlpha = 1;
    context.fillStyle = colours.text;
    context.fillText(text, 4, y);
  }
}
