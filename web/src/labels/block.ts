/** A window of poses as `GET /videos/{id}/poses` sends it: one block of numbers, read where it lies. */
import type { MachinePose, Verdict } from './pose';

const HEADER = 32;
const MAGIC = 0x57505450; // PTPW
const NO_MORE = 0xffffffff;
const HIDDEN = 8;
const VERDICTS: Record<number, Verdict> = { 2: 'accepted', 4: 'stale', 5: 'rejected' };

export class Block {
  readonly start: number;
  readonly frames: number;
  readonly nextStart: number | null;
  readonly tracks: readonly number[];
  private readonly size: number;
  private readonly rows: ReadonlyMap<number, number>;
  private readonly runs: Uint32Array;
  private readonly points: Float32Array;
  /** What radii rest on, where the service was asked for it. */
  private readonly rests: Uint32Array | null;

  /** @throws Error - These bytes are no such block. */
  constructor(bytes: ArrayBuffer) {
    const head = new Uint32Array(bytes, 0, HEADER / 4);
    if (head[0] !== MAGIC || head[1] !== 1) throw new Error('these bytes are no block of poses');
    const [, , tracks = 0, frames = 0, size = 0, start = 0, further = NO_MORE] = head;
    this.frames = frames;
    this.size = size;
    this.start = start;
    this.nextStart = further === NO_MORE ? null : further;
    this.tracks = [...new Uint32Array(bytes, HEADER, tracks)];
    this.rows = new Map(this.tracks.map((track, row) => [track, row]));
    const runs = HEADER + 4 * tracks;
    this.runs = new Uint32Array(bytes, runs, tracks * frames);
    const points = runs + 8 * tracks * frames;
    const count = tracks * frames * size;
    this.points = new Float32Array(bytes, points, count * 5);
    this.rests = bytes.byteLength > points + 20 * count ? new Uint32Array(bytes, points + 20 * count, count) : null;
  }

  /** What a machine says of a subject on a frame. */
  pose(frame: number, track: number): MachinePose | undefined {
    const row = this.rows.get(track);
    if (row === undefined || frame < this.start || frame >= this.start + this.frames) return undefined;
    const place = row * this.frames + frame - this.start;
    const pose: MachinePose = { points: [], scores: [], radii: [], verdicts: [], score: 1, run: this.runs[place] ?? 0 };
    const first = place * this.size;
    if (this.rests) pose.rests = [...this.rests.subarray(first, first + this.size)];
    let any = false;
    for (let k = 0; k < this.size; k++) {
      const at = 5 * (place * this.size + k);
      const [x = 0, y = 0, score = 0, radius = 0, source = 0] = this.points.subarray(at, at + 5);
      const who = source % HIDDEN;
      const known = who >= 1 && who <= 5;
      pose.points.push(known ? { x, y, v: source >= HIDDEN ? 1 : 2 } : null);
      pose.scores.push(score);
      pose.radii.push(radius);
      pose.verdicts.push(VERDICTS[who] ?? null);
      if (known) pose.score = Math.min(pose.score, score);
      any ||= known;
    }
    return any ? pose : undefined;
  }
}
