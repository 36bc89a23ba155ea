/**
 * Pictures of frames, decoded and bounded. What is looked at comes first: when somebody goes on, requests for frames
 * that are no longer near are called off instead of being waited for.
 */
export interface Picture {
  width: number;
  height: number;
  close(): void;
}

export interface CacheOptions {
  /** Most pictures that are kept. */
  capacity: number;
  ahead: number;
  behind: number;
  /** Requests for frames nearby that run at a time, once the frame itself is there. */
  parallel: number;
  /** How far a step may be to count as going on rather than jumping. */
  reach: number;
}

export const DEFAULTS: CacheOptions = { capacity: 120, ahead: 8, behind: 2, parallel: 3, reach: 2 };

export type Load<P> = (index: number, signal: AbortSignal) => Promise<P>;

/** Frames to fetch beside one, nearest first: mostly ahead in the direction of travel, none after a jump. */
export function nearby(index: number, last: number | null, count: number, options: CacheOptions): number[] {
  const step = last === null ? 0 : index - last;
  if (Math.abs(step) > options.reach) return [];
  const forward = step < 0 ? -1 : 1;
  const wanted: number[] = [];
  for (let far = 1; far <= Math.max(options.ahead, options.behind); far++) {
    if (far <= options.ahead) wanted.push(index + forward * far);
    if (far <= options.behind) wanted.push(index - forward * far);
  }
  return wanted.filter((at) => at >= 0 && at < count);
}

export class FrameCache<P extends Picture> {
  private kept = new Map<number, P>();
  private running = new Map<number, AbortController>();
  private target: number | null = null;
  private wanted: number[] = [];

  constructor(
    private readonly load: Load<P>,
    private readonly count: number,
    private readonly arrived: (index: number) => void,
    private readonly failed: (index: number, error: unknown) => void = () => undefined,
    private readonly options: CacheOptions = DEFAULTS,
  ) {}

  /** A picture, if it is here; it is then the last to be dropped. */
  get(index: number): P | undefined {
    const picture = this.kept.get(index);
    if (picture) {
      this.kept.delete(index);
      this.kept.set(index, picture);
    }
    return picture;
  }

  has(index: number): boolean {
    return this.kept.has(index);
  }

  /** Somebody looks at a frame: fetch it, then those nearby, and call off all else. */
  want(index: number): void {
    this.wanted = nearby(index, this.target, this.count, this.options);
    this.target = index;
    const still = new Set([index, ...this.wanted]);
    for (const [other, request] of this.running) if (!still.has(other)) request.abort();
    this.fill();
  }

  /** Nobody waits for anything now: call off what is under way. */
  rest(): void {
    this.target = null;
    this.wanted = [];
    for (const request of this.running.values()) request.abort();
  }

  /** Drop everything, for good. */
  close(): void {
    this.target = null;
    this.wanted = [];
    for (const request of this.running.values()) request.abort();
    for (const picture of this.kept.values()) picture.close();
    this.kept.clear();
  }

  get size(): number {
    return this.kept.size;
  }

  private fill(): void {
    if (this.target === null) return;
    if (!this.kept.has(this.target)) {
      this.fetch(this.target);
      return;
    }
    for (const index of this.wanted) {
      if (this.running.size >= this.options.parallel) return;
      if (!this.kept.has(index)) this.fetch(index);
    }
  }

  private fetch(index: number): void {
    if (this.running.has(index)) return;
    const request = new AbortController();
    this.running.set(index, request);
    this.load(index, request.signal)
      .then((picture) => this.keep(index, picture, request.signal.aborted))
      .catch((error: unknown) => {
        this.wanted = this.wanted.filter((other) => other !== index);
        if (!request.signal.aborted) this.failed(index, error);
      })
      .finally(() => {
        if (this.running.get(index) === request) this.running.delete(index);
        this.fillLater(index, request.signal.aborted);
      });
  }

  private fillLater(index: number, aborted: boolean): void {
    // A target that failed is not asked for again by itself: that would be a storm.
    if (index !== this.target || this.kept.has(index) || aborted) this.fill();
  }

  private keep(index: number, picture: P, aborted: boolean): void {
    if (this.target === null || (aborted && index !== this.target)) {
      picture.close();
      return;
    }
    this.kept.get(index)?.close();
    this.kept.set(index, picture);
    for (const [oldest, old] of this.kept) {
      if (this.kept.size <= this.options.capacity) break;
      if (oldest === this.target) continue;
      this.kept.delete(oldest);
      old.close();
    }
    this.arrived(index);
  }
}
