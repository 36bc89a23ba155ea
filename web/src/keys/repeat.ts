/** A held key: waits, then quickens. */
export const FIRST_MS = 400;
export const SLOW_MS = 120;
export const QUICK_MS = 40;

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
    const again = () => {
      // What cannot be shown yet is not queued: the next look is soon.
      const could = act();
      if (could) done++;
      this.timer = setTimeout(again, could ? pause(done) : QUICK_MS / 2);
    };
    this.timer = setTimeout(again, pause(0));
  }

  release(key?: string): void {
    if (key !== undefined && key !== this.key) return;
    clearTimeout(this.timer);
    this.key = null;
  }
}
