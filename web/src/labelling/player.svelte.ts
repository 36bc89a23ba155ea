/** Which frame is looked at, and which picture is on the screen: poses are drawn for the picture, never ahead of it. */
import { sentence } from '../api/problem';
import type { Video } from '../api/types';
import { framesOf } from '../video/frames';

export class Player {
  /** The frame that is wanted. */
  frame = $state(0);
  /** The frame whose picture is shown; null before the first. */
  shown = $state<number | null>(null);
  fault = $state<string | null>(null);
  readonly count: number;
  private readonly cache;

  constructor(video: Video) {
    this.count = Math.max(1, video.num_frames ?? 1);
    this.cache = framesOf(
      video,
      (index) => {
        if (index === this.frame) this.show();
      },
      (index, error) => {
        if (index === this.frame) this.fault = sentence(error);
      },
    );
    this.go(0);
  }

  picture(): ImageBitmap | undefined {
    return this.shown === null ? undefined : this.cache.get(this.shown);
  }

  /** Go to a frame, however far. */
  go(frame: number): void {
    this.frame = Math.max(0, Math.min(this.count - 1, Math.round(frame)));
    this.fault = null;
    this.cache.want(this.frame);
    if (this.cache.has(this.frame)) this.show();
  }

  /** Go on by some frames if the present one is shown; says whether it did. Frames are never queued. */
  step(by: number): boolean {
    if (this.shown !== this.frame && this.fault === null) return false;
    const before = this.frame;
    this.go(this.frame + by);
    return this.frame !== before;
  }

  close(): void {
    this.cache.close();
  }

  private show(): void {
    this.shown = this.frame;
    this.fault = null;
  }
}
