/** Which frame is looked at, and which picture is on the screen: poses are drawn for the picture, never ahead of it. */
import { sentence } from '../api/problem';
import type { Video } from '../api/types';
import type { FrameCache } from '../video/cache';
import { framesOf, sizeOf } from '../video/frames';
import { fitting, place } from '../video/sizes';

/** Who goes on sooner than this goes through frames: they are not each asked for as they are. */
const GOING_MS = 250;
const SETTLED_MS = 120;

export class Player {
  /** The frame that is wanted. */
  frame = $state(0);
  /** The frame whose picture is shown; null before the first. */
  shown = $state<number | null>(null);
  fault = $state<string | null>(null);
  readonly count: number;
  /** Pictures that fill the place they have: of a large video they are shrunk. */
  private fitted: FrameCache<ImageBitmap>;
  private width: number | null;
  /** Pictures as they are, of frames that somebody looks at closely; null where all are so. */
  private whole: FrameCache<ImageBitmap> | null = null;
  private closely = false;
  private arrivals = $state(0);
  private went = -Infinity;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly video: Video) {
    this.count = Math.max(1, video.num_frames ?? 1);
    this.width = fitting(sizeOf(video), place(window));
    this.fitted = this.frames();
    this.go(0);
  }

  picture(): ImageBitmap | undefined {
    void this.arrivals;
    return this.shown === null ? undefined : (this.whole?.get(this.shown) ?? this.fitted.get(this.shown));
  }

  /** Go to a frame, however far. */
  go(frame: number): void {
    this.frame = Math.max(0, Math.min(this.count - 1, Math.round(frame)));
    this.fault = null;
    clearTimeout(this.timer);
    this.whole?.rest();
    this.fitted.want(this.frame);
    if (this.fitted.has(this.frame)) this.show();
  }

  /** Go on by some frames if the present one is shown; says whether it did. Frames are never queued. */
  step(by: number): boolean {
    if (this.shown !== this.frame && this.fault === null) return false;
    const before = this.frame;
    this.go(this.frame + by);
    return this.frame !== before;
  }

  /**
   * Tell how closely the picture is looked at.
   *
   * @param scale - Pixels of the screen for a pixel of the frame, at the most.
   */
  looks(scale: number): void {
    const close = this.width !== null && scale > (this.width / sizeOf(this.video).width) * 1.05;
    if (close === this.closely) return;
    this.closely = close;
    if (close && this.shown === this.frame) this.look();
  }

  /** The window has another size. */
  resized(): void {
    const width = fitting(sizeOf(this.video), place(window));
    // What was asked for larger is good enough for a smaller window.
    if (this.width === null || (width !== null && width <= this.width)) return;
    const before = this.fitted;
    this.width = width;
    this.fitted = this.frames();
    this.shown = null;
    before.close();
    this.go(this.frame);
  }

  close(): void {
    clearTimeout(this.timer);
    this.fitted.close();
    this.whole?.close();
  }

  private frames(): FrameCache<ImageBitmap> {
    return framesOf(
      this.video,
      this.width,
      (index) => {
        if (index === this.frame) this.show();
      },
      (index, error) => {
        if (index === this.frame) this.fault = sentence(error);
      },
    );
  }

  private show(): void {
    this.shown = this.frame;
    this.fault = null;
    const now = performance.now();
    const going = now - this.went < GOING_MS;
    this.went = now;
    if (!this.closely) return;
    clearTimeout(this.timer);
    if (going) this.timer = setTimeout(() => this.look(), SETTLED_MS);
    else this.look();
  }

  /** Ask for the frame as it is; what is shown stays where it does not come. */
  private look(): void {
    this.whole ??= framesOf(this.video, null, (index) => void (index === this.shown && this.arrivals++), () => undefined, true);
    this.whole.want(this.frame);
  }
}
