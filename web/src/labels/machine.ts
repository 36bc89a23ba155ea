/** A machine's poses near what is looked at, and an overview of the whole video. */
import type { Timeline } from '../api/types';
import type { Block } from './block';
import { Blocks } from './blocks';
import type { MachinePose } from './pose';

export interface Source {
  block(start: number, stop: number): Promise<Block>;
  overview(): Promise<Timeline>;
}

export class MachinePoses {
  private readonly blocks: Blocks;
  private edition = 0;
  /** Worst score of a track's pose by frame, or of its bucket in a long video; NaN where a machine says nothing. */
  readonly scores = new Map<number, Float32Array>();
  overview: Timeline | null = null;
  /** How often the whole video was looked over. */
  surveys = 0;

  constructor(
    private readonly source: Source,
    private readonly count: number,
    private readonly changed: () => void,
  ) {
    this.blocks = new Blocks((start, stop) => source.block(start, stop), count, changed);
  }

  at(frame: number, track: number): MachinePose | undefined {
    return this.blocks.at(frame, track);
  }

  /** Whether it is known what a machine says of a frame, or that it cannot be known now. */
  heard(frame: number): boolean {
    return this.blocks.heard(frame);
  }

  /** Fetch what is near a frame. */
  near(frame: number): void {
    this.blocks.near(frame);
  }

  /** Look over the whole video. */
  async survey(): Promise<void> {
    const edition = this.edition;
    try {
      const overview = await this.source.overview();
      if (edition === this.edition) this.take(overview);
    } catch {
      // What was known before stays.
    }
  }

  /** The poses may have changed: those that are here stay until the new ones are. */
  async refresh(frame: number): Promise<void> {
    this.edition++;
    // What is looked at comes first: the service answers one after the other.
    await this.blocks.refresh(frame);
    void this.survey();
  }

  private take(overview: Timeline): void {
    this.overview = overview;
    this.surveys++;
    this.scores.clear();
    const { buckets } = overview;
    for (const lane of overview.lanes) {
      if (lane.score.every((score) => score === null)) continue;
      const scores = new Float32Array(this.count).fill(NaN);
      lane.score.forEach((score, bucket) => {
        if (score === null) return;
        const [from, to] = [bucket, bucket + 1].map((edge) => Math.floor((edge * this.count) / buckets));
        scores.fill(score, from, to);
      });
      this.scores.set(lane.track_id, scores);
    }
    this.changed();
  }
}
