/** Which suggestions are still worth showing: not those that were passed over, nor those that were put off a while. */
export interface Place {
  video_id: number;
  frame_index: number;
  track_id: number;
}

/** How long a suggestion that was put off stays away. */
export const SNOOZE_MS = 30 * 60 * 1000;

const key = (place: Place): string => `${place.video_id}:${place.frame_index}:${place.track_id}`;

export class Away {
  private skipped = new Set<string>();
  private judged = new Set<string>();
  private snoozed = new Map<string, number>();

  constructor(private readonly now: () => number = () => Date.now()) {}

  skip(place: Place): void {
    this.skipped.add(key(place));
  }

  /** A verdict was given, or taken back: the list may have been asked for before that. */
  judge(place: Place, taken = true): void {
    if (taken) this.judged.add(key(place));
    else this.judged.delete(key(place));
  }

  snooze(place: Place): void {
    this.snoozed.set(key(place), this.now() + SNOOZE_MS);
  }

  left<T extends Place>(places: readonly T[]): T[] {
    const gone = (place: Place) => this.skipped.has(key(place)) || this.judged.has(key(place));
    return places.filter((place) => !gone(place) && !((this.snoozed.get(key(place)) ?? 0) > this.now()));
  }

  get size(): number {
    return this.skipped.size + [...this.snoozed.values()].filter((until) => until > this.now()).length;
  }
}

/** How many a minute were done so far; null before that can be told. */
export const pace = (done: number, elapsedMs: number): number | null => (done < 3 ? null : Math.round(done / Math.max(elapsedMs / 60_000, 0.01)));

/** Minutes for what is left at the pace so far; null before that can be told. */
export function minutesLeft(done: number, elapsedMs: number, left: number): number | null {
  return done < 3 ? null : Math.ceil(((elapsedMs / done) * left) / 60_000);
}
