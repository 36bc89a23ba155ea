/** A machine's poses, in chunks of frames near what is looked at; and a score for every frame, for the timeline. */
import type { LabelOut } from '../api/types';
import { machinePose, type MachinePose } from './pose';

export const CHUNK = 128;
const KEPT = 12;

export type Fetch = (start: number, stop: number) => Promise<LabelOut[]>;

export class MachinePoses {
  private chunks = new Map<number, Map<string, MachinePose>>();
  private loading = new Set<number>();
  private edition = 0;
  /** Worst score of a track's pose by frame; NaN where there is none or it is not known yet. */
  readonly scores = new Map<number, Float32Array>();

  constructor(
    private readonly fetch: Fetch,
    private readonly count: number,
    private readonly changed: () => void,
  ) {}

  at(frame: number, track: number): MachinePose | undefined {
    return this.chunks.get(Math.floor(frame / CHUNK))?.get(`${frame}:${track}`);
  }

  /** Fetch what is near a frame. */
  near(frame: number): void {
    const chunk = Math.floor(frame / CHUNK);
    for (const one of [chunk, chunk + 1]) void this.load(one);
  }

  /** Look through the video for its scores, once, from the beginning; at most so many frames. */
  async survey(most = 20_000): Promise<void> {
    const edition = this.edition;
    for (let chunk = 0; chunk * CHUNK < Math.min(this.count, most); chunk++) {
      if (edition !== this.edition) return;
      await this.load(chunk, true);
    }
  }

  /** The poses may have changed: those that are here stay until the new ones are. */
  async refresh(frame: number): Promise<void> {
    this.edition++;
    this.loading.clear();
    const near = Math.floor(frame / CHUNK);
    for (const chunk of [...this.chunks.keys()]) if (Math.abs(chunk - near) > 1) this.chunks.delete(chunk);
    await this.load(near, true);
    await this.survey();
  }

  private async load(chunk: number, again = false): Promise<void> {
    const start = chunk * CHUNK;
    if (chunk < 0 || start >= this.count || this.loading.has(chunk)) return;
    if (!again && this.chunks.has(chunk)) return;
    const edition = this.edition;
    this.loading.add(chunk);
    try {
      const labels = await this.fetch(start, Math.min(start + CHUNK, this.count));
      if (edition === this.edition) this.take(chunk, labels);
    } catch {
      // Asked again when somebody comes by.
    } finally {
      if (edition === this.edition) this.loading.delete(chunk);
    }
  }

  private take(chunk: number, labels: LabelOut[]): void {
    const poses = new Map<string, MachinePose>();
    const start = chunk * CHUNK;
    for (const scores of this.scores.values()) scores.fill(NaN, start, start + CHUNK);
    for (const label of labels) {
      const pose = machinePose(label);
      poses.set(`${label.frame_index}:${label.track_id}`, pose);
      this.scoresOf(label.track_id)[label.frame_index] = pose.score;
    }
    this.chunks.delete(chunk);
    this.chunks.set(chunk, poses);
    for (const oldest of this.chunks.keys()) {
      if (this.chunks.size <= KEPT) break;
      this.chunks.delete(oldest);
    }
    this.changed();
  }

  private scoresOf(track: number): Float32Array {
    let scores = this.scores.get(track);
    if (!scores) this.scores.set(track, (scores = new Float32Array(this.count).fill(NaN)));
    return scores;
  }
}
