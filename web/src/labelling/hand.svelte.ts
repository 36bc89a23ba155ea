/** A hand for the keyboard: a cross that arrows move over the frame, and that says where a keypoint is. */
import type { Spot } from '../canvas/view';
import type { Pressed } from '../keys/acts';
import { isPoint, round } from '../labels/pose';
import type { Desk } from './desk.svelte';

/** Pixels of the screen that a key moves the hand: a little, with Shift more, with Ctrl far. */
export const REACH = { plain: 2, shift: 12, ctrl: 60 };

const WAYS: Record<string, Spot> = {
  ArrowLeft: { x: -1, y: 0 },
  ArrowRight: { x: 1, y: 0 },
  ArrowUp: { x: 0, y: -1 },
  ArrowDown: { x: 0, y: 1 },
};

/** How far a key moves the hand, in pixels of the screen; null where it does not. */
export function way({ key, ctrlKey, metaKey, altKey, shiftKey }: Pressed): Spot | null {
  const to = WAYS[key];
  if (!to || altKey || (shiftKey && (ctrlKey || metaKey))) return null;
  const far = ctrlKey || metaKey ? REACH.ctrl : shiftKey ? REACH.shift : REACH.plain;
  return { x: to.x * far, y: to.y * far };
}

export class Hand {
  /** Where it is in the frame; null while it is not used. */
  at = $state.raw<Spot | null>(null);
  /** Pixels of the screen for one of the frame. */
  scale = 1;

  constructor(private readonly desk: Desk) {}

  toggle(): void {
    this.at = this.at ? null : this.start();
    const { desk } = this;
    if (!this.at || !desk.blank || desk.placing) return;
    if (desk.track === null) void desk.trying(() => desk.addTrack());
    else desk.startPlacing();
  }

  /** What a key does while the hand is used, and whether it is done again while it is held; null for keys of others. */
  act(event: Pressed): { act: () => boolean; held: boolean } | null {
    if (!this.at) return null;
    const by = way(event);
    if (by) return { act: () => this.move(by), held: true };
    if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return null;
    if (event.key === 'Enter' || event.key === ' ') return { act: () => this.put(false), held: false };
    return event.key.toLowerCase() === 'v' ? { act: () => this.put(true), held: false } : null;
  }

  /** To where the keypoint that is now asked for should be; it stays where nobody can tell. */
  follow(): void {
    if (this.at) this.at = this.expected() ?? this.at;
  }

  private move(by: Spot): boolean {
    if (!this.at) return false;
    const { width, height } = this.desk.video;
    const within = (value: number, size: number | null) => Math.max(-0.5, Math.min((size ?? Infinity) - 0.5, value));
    this.at = { x: within(this.at.x + by.x / this.scale, width), y: within(this.at.y + by.y / this.scale, height) };
    return true;
  }

  private put(hidden: boolean): boolean {
    if (!this.at) return false;
    const at = this.at;
    void this.desk.trying(async () => {
      if (this.desk.placing || this.desk.pass || this.desk.blank || this.desk.keypoint === null) await this.desk.placeAt(at, hidden);
      else this.desk.sayOf(this.desk.keypoint, { x: round(at.x), y: round(at.y), v: hidden ? 1 : 2 });
    });
    return true;
  }

  private start(): Spot {
    const { width, height } = this.desk.video;
    return this.expected() ?? { x: ((width ?? 2) - 1) / 2, y: ((height ?? 2) - 1) / 2 };
  }

  private expected(): Spot | null {
    const { desk } = this;
    const keypoint = desk.placing?.at ?? desk.keypoint;
    if (keypoint === null || desk.track === null) return null;
    const seen = desk.labels.seen(desk.frame, desk.track)[keypoint];
    if (seen) return { x: seen.x, y: seen.y };
    const before = desk.labels.keyframes(desk.track).filter((frame) => frame <= desk.frame).reverse();
    for (const frame of before) {
      const said = desk.labels.pose(frame, desk.track)?.points[keypoint];
      if (isPoint(said)) return { x: said.x, y: said.y };
    }
    return null;
  }
}
