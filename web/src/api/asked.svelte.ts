/** What was asked of the service: the answer, or the sentence why there is none. */
import { sentence } from './problem';

/** Something that is read, and read again. */
export class Reading<T> {
  value = $state.raw<T | null>(null);
  fault = $state<string | null>(null);
  private asked = 0;

  constructor(private readonly fetch: () => Promise<T>) {}

  /** Read it now. Of several readings the one that was asked for last counts. */
  async read(): Promise<void> {
    const mine = ++this.asked;
    try {
      const value = await this.fetch();
      if (mine !== this.asked) return;
      this.value = value;
      this.fault = null;
    } catch (error) {
      if (mine === this.asked) this.fault = sentence(error);
    }
  }
}

/** Something that is read again and again as long as there is something to wait for. */
export class Repeated {
  private timer: ReturnType<typeof setTimeout> | undefined;
  private turn = 0;
  private ended = false;

  /** `read` gives in how many milliseconds it is to be read again; null where nothing is awaited. */
  constructor(private readonly read: () => Promise<number | null>) {}

  /** Read it now, and from then on. */
  async now(): Promise<void> {
    clearTimeout(this.timer);
    const mine = ++this.turn;
    const ms = await this.read();
    if (ms !== null && !this.ended && mine === this.turn) this.timer = setTimeout(() => void this.now(), ms);
  }

  /** Nobody looks at it any more. */
  end(): void {
    this.ended = true;
    clearTimeout(this.timer);
  }
}

/** Something that is done at a click: one at a time. */
export class Doing {
  busy = $state(false);
  fault = $state<string | null>(null);

  /** Says whether it could be done. */
  async do(act: () => Promise<unknown>): Promise<boolean> {
    if (this.busy) return false;
    this.busy = true;
    this.fault = null;
    try {
      await act();
      return true;
    } catch (error) {
      this.fault = sentence(error);
      return false;
    } finally {
      this.busy = false;
    }
  }
}
