/** A held key: waits, then quickens. */
const FIRST_MS = 400;
const SLOW_MS = 120;
const QUICK_MS = 40;
/** How long until it is looked again whether what is awaited can be shown. */
const AGAIN_MS = 8;

/** How long until the n-th repetition (from 0). */
export const pause = (n: number): number => (n === 0 ? FIRST_MS : Math.max(QUICK_MS, SLOW_MS * 0.8 ** (n - 1)));

export class Repeat {
  private timer: ReturnType<typeof setTimeout> | undefined;
  private key: string | null = null;

  /** Do something now and, while a key is held, again and again. `act` says whether it could. */
  press(key: string, act: () => boolean): void {
    if (this.key === key) return;
    this.release();
    this.key = key;
    act();
    let done = 0;
    let due = performance.now() + pause(0);
    const again = () => {
      // What cannot be shown yet is not queued: the next look is soon.
      const could = act();
      if (could) done++;
      const now = performance.now();
      // The time that an act takes is a part of the pause, and what came late is not made up for.
      due = could ? Math.max(due + pause(done), now) : now + AGAIN_MS;
      this.timer = setTimeout(again, due - now);
    };
    this.timer = setTimeout(again, pause(0));
  }

  release(key?: string): void {
    if (key !== undefined && key !== this.key) return;
    clearTimeout(this.timer);
    this.key = null;
  }
}
