/** Small pictures of frames, for who looks along the timeline. One is asked for at a time, the newest first. */
import { fetched } from '../api/client';
import { Newest } from '../api/newest';
import { frameUrl } from './frames';

const WIDTH = 176;
const KEPT = 120;

export class Thumbnails {
  /** The last that came, of what is pointed at. */
  shown = $state.raw<{ frame: number; url: string } | null>(null);
  private wanted: number | null = null;
  // Not reactive: `shown` tells of what came.
  // eslint-disable-next-line svelte/prefer-svelte-reactivity
  private readonly kept = new Map<number, string>();
  private readonly newest: Newest<number, Blob>;

  constructor(video: number) {
    this.newest = new Newest(
      async (frame) => (await fetched(frameUrl(video, frame, WIDTH))).blob(),
      (picture, frame) => this.keep(frame, URL.createObjectURL(picture)),
    );
  }

  want(frame: number | null): void {
    this.wanted = frame;
    this.newest.forget();
    if (frame === null) return void (this.shown = null);
    const url = this.kept.get(frame);
    if (url !== undefined) this.shown = { frame, url };
    else this.newest.want(frame);
  }

  close(): void {
    this.want(null);
    for (const url of this.kept.values()) URL.revokeObjectURL(url);
    this.kept.clear();
  }

  private keep(frame: number, url: string): void {
    this.kept.set(frame, url);
    for (const [oldest, old] of this.kept) {
      if (this.kept.size <= KEPT) break;
      this.kept.delete(oldest);
      URL.revokeObjectURL(old);
    }
    // Also one that was passed meanwhile is shown until the next comes: it is nearer than none.
    if (this.wanted !== null && this.shown?.frame !== this.wanted) this.shown = { frame, url };
  }
}
