/** Poses in blocks of frames near what is looked at. */
import type { Block } from './block';
import type { MachinePose } from './pose';

export const CHUNK = 256;
const KEPT = 8;

export class Blocks {
  private chunks = new Map<number, Block>();
  /** Chunks that somebody was near, the latest last. */
  private used = new Set<number>();
  private loading = new Set<number>();
  /** Those that could not be fetched when last asked for. */
  private missed = new Set<number>();
  private edition = 0;

  constructor(
    private readonly fetch: (start: number, stop: number) => Promise<Block>,
    private readonly count: number,
    private readonly changed: () => void,
  ) {}

  at(frame: number, track: number): MachinePose | undefined {
    return this.chunks.get(Math.floor(frame / CHUNK))?.pose(frame, track);
  }

  /** Whether the service was heard about a frame: what it said, or that it does not answer. */
  heard(frame: number): boolean {
    const chunk = Math.floor(frame / CHUNK);
    return this.chunks.has(chunk) || this.missed.has(chunk);
  }

  /** Fetch what is near a frame. */
  near(frame: number): void {
    const chunk = Math.floor(frame / CHUNK);
    this.use(chunk);
    for (const one of [chunk, chunk + 1]) void this.load(one);
  }

  /** The poses may have changed: those near a frame stay until the new ones are here. */
  async refresh(frame: number): Promise<void> {
    this.edition++;
    this.loading.clear();
    const near = Math.floor(frame / CHUNK);
    this.use(near);
    for (const chunk of [...this.chunks.keys()]) if (chunk !== near) this.chunks.delete(chunk);
    await this.load(near, true);
    void this.load(near + 1);
  }

  private use(chunk: number): void {
    for (const one of [chunk + 1, chunk]) {
      this.used.delete(one);
      this.used.add(one);
    }
  }

  private async load(chunk: number, again = false): Promise<void> {
    const start = chunk * CHUNK;
    if (chunk < 0 || start >= this.count || this.loading.has(chunk)) return;
    if (!again && this.chunks.has(chunk)) return;
    const edition = this.edition;
    this.loading.add(chunk);
    try {
      const block = await this.fetch(start, Math.min(start + CHUNK, this.count));
      if (edition === this.edition) this.keep(chunk, block);
    } catch {
      // Asked again when somebody comes by.
      if (edition === this.edition) this.missed.add(chunk);
      this.changed();
    } finally {
      if (edition === this.edition) this.loading.delete(chunk);
    }
  }

  private keep(chunk: number, block: Block): void {
    this.missed.delete(chunk);
    this.chunks.set(chunk, block);
    for (const oldest of this.used) {
      if (this.chunks.size <= KEPT) break;
      this.chunks.delete(oldest);
    }
    this.changed();
  }
}
