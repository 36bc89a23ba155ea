/** Drawing the timeline: a lane for each subject, keyframes as diamonds, a machine's poses by how sure it is. */
import { confidence, subject, type TimelineColours } from '../theme/colours';
import { worst, xOf, type Span } from './layout';
import { drawRange } from './plot';
import type { Range } from './range';

export interface Lane {
  track: number;
  name: string;
  keyframes: readonly number[];
  scores: Float32Array | undefined;
  /** Frames that people accepted or rejected, on which the subject is absent, or that rest on labels that changed. */
  accepted: readonly Range[];
  rejected: readonly Range[];
  absent: readonly Range[];
  stale: readonly Range[];
  selected: boolean;
}

export interface Picture {
  span: Span;
  count: number;
  fps: number | null;
  frame: number;
  lanes: Lane[];
  cuts: readonly number[];
  damaged: readonly (readonly number[])[];
  /** What somebody chose. */
  range: Range | null;
}

export const RULER = 20;
export const LANE = 18;
export const NAMES = 108;

export const heightOf = (lanes: number): number => RULER + Math.max(1, lanes) * LANE + 6;

export function draw(context: CanvasRenderingContext2D, width: number, height: number, picture: Picture, colours: TimelineColours): void {
  context.fillStyle = colours.ground;
  context.fillRect(0, 0, width, height);
  const inner = width - NAMES;
  context.save();
  context.beginPath();
  context.rect(NAMES, 0, inner, height);
  context.clip();
  context.translate(NAMES, 0);
  ruler(context, inner, picture, colours);
  picture.lanes.forEach((lane, row) => spans(context, inner, RULER + row * LANE, picture.span, lane, colours));
  drawRange(context, inner, height, picture.span, picture.range, colours);
  marks(context, inner, height, picture, colours);
  // Above all else: also where the playhead stands one sees that this is a keyframe.
  picture.lanes.forEach((lane, row) => diamonds(context, inner, RULER + row * LANE, picture.span, lane, colours));
  context.restore();
  names(context, picture.lanes, colours);
}

/** A round number of frames between two marks that leaves room for their numbers. */
export function spacing(span: Span, width: number): number {
  const least = (span.length / width) * 70;
  const power = 10 ** Math.floor(Math.log10(Math.max(1, least)));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= least) ?? 10 * power;
}

function ruler(context: CanvasRenderingContext2D, width: number, { span, count }: Picture, colours: TimelineColours): void {
  const step = Math.max(1, spacing(span, width));
  context.font = '10.5px system-ui, sans-serif';
  context.textBaseline = 'middle';
  context.fillStyle = colours.text;
  for (let frame = Math.ceil(span.start / step) * step; frame <= Math.min(count - 1, span.start + span.length); frame += step) {
    const x = Math.round(xOf(span, width, frame + 0.5)) + 0.5;
    context.fillRect(x - 0.5, RULER - 5, 1, 4);
    context.fillText(String(frame), x + 4, RULER / 2 - 1);
  }
}

/** How many colours tell scores apart. */
const SHADES = 32;

/** Pixels beside each other that are of one shade. */
export function runs(columns: Float32Array): { x: number; width: number; score: number }[] {
  const found: { x: number; width: number; score: number }[] = [];
  columns.forEach((column, x) => {
    if (Number.isNaN(column)) return;
    const score = Math.round(column * SHADES) / SHADES;
    const last = found.at(-1);
    if (last && last.score === score && last.x + last.width === x) last.width++;
    else found.push({ x, width: 1, score });
  });
  return found;
}

function spans(context: CanvasRenderingContext2D, width: number, top: number, span: Span, lane: Lane, colours: TimelineColours): void {
  context.fillStyle = colours.lane;
  context.fillRect(0, top + 1, width, LANE - 2);
  if (lane.scores) {
    for (const run of runs(worst(lane.scores, span, width))) {
      context.fillStyle = confidence(run.score);
      context.fillRect(run.x, top + 5, run.width, LANE - 10);
    }
  }
  const place = ([start, stop]: Range): [number, number] => {
    const x = Math.max(0, xOf(span, width, start));
    return [x, Math.max(2, Math.min(width, xOf(span, width, stop)) - x)];
  };
  const inside = ([start, stop]: Range) => stop > span.start && start < span.start + span.length;
  for (const range of lane.stale.filter(inside)) {
    const [x, far] = place(range);
    hatch(context, x, top + 5, far, LANE - 10, colours.lane);
  }
  for (const range of lane.absent.filter(inside)) {
    const [x, far] = place(range);
    context.fillStyle = colours.lane;
    context.fillRect(x, top + 1, far, LANE - 2);
    context.fillStyle = colours.text;
    for (let dash = x; dash < x + far; dash += 6) context.fillRect(dash, top + LANE / 2 - 0.5, Math.min(3, x + far - dash), 1);
  }
  // What people said of it lies under the spans: a line where they accepted, a broken one where they rejected.
  context.fillStyle = colours.accepted;
  for (const range of lane.accepted.filter(inside)) context.fillRect(place(range)[0], top + LANE - 4, place(range)[1], 2);
  context.fillStyle = colours.damaged;
  for (const range of lane.rejected.filter(inside)) {
    const [x, far] = place(range);
    for (let dash = x; dash < x + far; dash += 4) context.fillRect(dash, top + LANE - 4, Math.min(2, x + far - dash), 2);
  }
}

/** Lines aslant over a part of a lane. */
function hatch(context: CanvasRenderingContext2D, x: number, top: number, width: number, height: number, colour: string): void {
  context.save();
  context.beginPath();
  context.rect(x, top, width, height);
  context.clip();
  context.strokeStyle = colour;
  context.lineWidth = 1.5;
  context.beginPath();
  for (let from = x - height; from < x + width; from += 5) {
    context.moveTo(from, top + height);
    context.lineTo(from + height, top);
  }
  context.stroke();
  context.restore();
}

/** Room for a diamond, in pixels. */
const ROOM = 16;

/** The pixels that ticks are in, where diamonds would hide each other and the lane below; null where there is room. */
export function ticks(places: readonly number[], width: number): Set<number> | null {
  return places.length * ROOM > width ? new Set(places.map(Math.floor)) : null;
}

function diamonds(context: CanvasRenderingContext2D, width: number, top: number, span: Span, lane: Lane, colours: TimelineColours): void {
  const far = lane.selected ? 5.5 : 4.5;
  const y = top + LANE / 2;
  const shown = lane.keyframes.map((frame) => xOf(span, width, frame + 0.5)).filter((x) => x >= -far && x <= width + far);
  context.fillStyle = subject(lane.track);
  const dense = ticks(shown, width);
  if (dense) {
    for (const x of dense) context.fillRect(x, top + 1, 1, 4);
    return;
  }
  context.strokeStyle = colours.ground;
  context.lineWidth = 1.4;
  for (const x of shown) {
    context.beginPath();
    context.moveTo(x, y - far);
    context.lineTo(x + far, y);
    context.lineTo(x, y + far);
    context.lineTo(x - far, y);
    context.closePath();
    context.fill();
    context.stroke();
  }
}

function marks(context: CanvasRenderingContext2D, width: number, height: number, picture: Picture, colours: TimelineColours): void {
  const { span, cuts, damaged, frame } = picture;
  context.fillStyle = colours.damaged;
  for (const [start, stop] of damaged) {
    const x = xOf(span, width, start ?? 0);
    context.fillRect(x, RULER - 3, Math.max(2, xOf(span, width, stop ?? 0) - x), 3);
  }
  context.fillStyle = colours.text;
  for (const cut of cuts) if (cut > 0) context.fillRect(Math.round(xOf(span, width, cut)), RULER, 1, height - RULER);
  const [from, to] = [xOf(span, width, frame), xOf(span, width, frame + 1)];
  context.globalAlpha = 0.16;
  context.fillStyle = colours.playhead;
  context.fillRect(from, 0, Math.max(1, to - from), height);
  context.globalAlpha = 1;
  context.fillRect(Math.round((from + to) / 2) - 1, 0, 2, height);
}

function names(context: CanvasRenderingContext2D, lanes: Lane[], colours: TimelineColours): void {
  context.font = '11.5px system-ui, sans-serif';
  context.textBaseline = 'middle';
  lanes.forEach((lane, row) => {
    const y = RULER + row * LANE + LANE / 2;
    context.fillStyle = subject(lane.track);
    context.fillRect(8, y - 4, 4, 8);
    context.fillStyle = lane.selected ? colours.playhead : colours.text;
    context.save();
    context.beginPath();
    context.rect(18, y - LANE / 2, NAMES - 24, LANE);
    context.clip();
    context.fillText(lane.name, 18, y + 0.5);
    context.restore();
  });
}
