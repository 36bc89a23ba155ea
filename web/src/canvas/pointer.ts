/** What a pointer means on a frame: placing, choosing, moving one keypoint or a whole pose, panning. */
import { moved, type Hit } from './hits';
import type { Spot } from './view';

export interface Meaning {
  /** Whether a click places a keypoint. */
  places(): boolean;
  under(at: Spot): Hit | null;
  place(at: Spot, hidden: boolean): void;
  choose(hit: Hit | null): void;
  toggle(hit: Hit): void;
  /** A keypoint, or with `whole` the pose, is held at a spot; `done` lets go. */
  drag(hit: Hit, from: Spot, to: Spot, whole: boolean, done: boolean): void;
  pan(by: Spot): void;
}

export class PointerReader {
  private from: Spot | null = null;
  private last: Spot | null = null;
  private held: Hit | null = null;
  private panning = false;
  private whole = false;
  dragging = false;

  constructor(private readonly meaning: Meaning) {}

  down(at: Spot, button: number, keys: { shift: boolean; alt: boolean }): void {
    this.from = this.last = at;
    this.dragging = false;
    this.held = button === 0 ? this.meaning.under(at) : null;
    this.whole = keys.shift;
    this.panning = button === 1 || (button === 0 && keys.alt);
    // Where a click places nothing, what is under it is chosen at once; it moves only beyond the threshold.
    if (button === 0 && !this.panning && this.held && !this.meaning.places()) this.meaning.choose(this.held);
    if (button === 2) this.right(at);
  }

  move(at: Spot): void {
    if (!this.from || !this.last) return;
    if (!this.dragging && !moved(this.from, at)) return;
    this.dragging = true;
    if (this.held && !this.panning) this.meaning.drag(this.held, this.from, at, this.whole, false);
    else if (this.panning || !this.held) this.meaning.pan({ x: at.x - this.last.x, y: at.y - this.last.y });
    this.last = at;
  }

  up(at: Spot, button: number): void {
    const { from, held, dragging, panning } = this;
    this.cancel();
    if (!from || button === 2) return;
    if (dragging) {
      if (held && !panning) this.meaning.drag(held, from, at, this.whole, true);
    } else if (button === 0 && !panning) {
      if (this.meaning.places()) this.meaning.place(at, false);
      else this.meaning.choose(held);
    }
  }

  cancel(): void {
    this.from = this.last = this.held = null;
    this.dragging = this.panning = false;
  }

  private right(at: Spot): void {
    const under = this.meaning.under(at);
    this.from = null;
    if (this.meaning.places()) this.meaning.place(at, true);
    else if (under) this.meaning.toggle(under);
  }
}
