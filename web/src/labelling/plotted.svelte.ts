/** What the plot above the timeline shows: a quantity of the selected keypoint, or the worst of all. */
import { Newest } from '../api/newest';
import type { Curve, Quantity } from '../api/types';
import { curve, type CurveWanted } from '../labels/reading';
import type { Span } from '../timeline/layout';
import { windowOf } from '../timeline/window';
import type { Desk } from './desk.svelte';

const LATER_MS = 120;

export class Plotted {
  /** What somebody chose; it may be of nothing that is selected. */
  chosen = $state<Quantity>('radius90');
  curve = $state.raw<Curve | null>(null);
  span = $state.raw<Span>({ start: 0, length: 1 });
  private timer: ReturnType<typeof setTimeout> | undefined;
  private asked = '';
  private last = '';
  private readonly newest: Newest<CurveWanted, Curve>;

  constructor(private readonly desk: Desk) {
    this.newest = new Newest(
      (wanted) => curve(desk.video.id, wanted),
      (found, wanted) => {
        const { track, keypoint } = this.desk;
        if (wanted.track === track && wanted.keypoint === keypoint && wanted.quantity === this.quantity) this.curve = found;
      },
    );
  }

  get quantities(): Quantity[] {
    const compared = this.desk.comparison.pair ? (['difference'] as const) : [];
    return [...compared, 'radius90', 'speed', ...(this.desk.keypoint === null ? [] : (['x', 'y'] as const))];
  }

  get quantity(): Quantity {
    return this.quantities.includes(this.chosen) ? this.chosen : 'radius90';
  }

  /** Two runs are compared, or no longer: then how far they are apart is shown. */
  compares(now: boolean): void {
    if (now) this.chosen = 'difference';
  }

  /** To the next quantity. */
  turn(): void {
    const at = this.quantities.indexOf(this.quantity);
    this.chosen = this.quantities[(at + 1) % this.quantities.length] ?? 'radius90';
  }

  /** Have the curve that is to be seen now; `edition` changes whenever the poses may have. */
  want(edition: string): void {
    clearTimeout(this.timer);
    const { track, keypoint } = this.desk;
    const of = `${track}:${keypoint}:${this.quantity}`;
    if (of !== this.asked) {
      this.curve = null;
      // What was shown before is not any more, and is asked for again.
      this.last = '';
    }
    this.asked = of;
    if (track === null) return;
    const wanted: CurveWanted = { quantity: this.quantity, track, keypoint, ...windowOf(this.span, this.desk.player.count), runs: this.desk.comparison.pair };
    const key = JSON.stringify([wanted, edition]);
    if (key === this.last) return;
    this.later(() => {
      this.last = key;
      this.newest.want(wanted);
    });
  }

  private later(act: () => void): void {
    this.timer = setTimeout(() => {
      if (this.desk.tracksChange) this.later(act);
      else if (this.desk.tracks.some((one) => one.id === this.desk.track)) act();
    }, LATER_MS);
  }

  close(): void {
    clearTimeout(this.timer);
    this.newest.forget();
  }
}
