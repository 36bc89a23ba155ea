/**
 * Saves edits one batch after the other. Edits wait here, and in a store that survives the page, until the service has
 * them: neither a dead connection nor a session that ended loses any.
 */
import { Problem } from '../api/problem';
import type { Conflict } from '../api/types';
import { t } from '../strings';
import { bothStand, merged, place, type Edit } from './edits';

export type State = 'saved' | 'saving' | 'offline' | 'signed-out' | 'refused' | 'conflict';

export interface Store {
  put(edit: Edit): Promise<void>;
  remove(edit: Edit): Promise<void>;
}

/** Writes edits that were made knowing `revision`; gives the revision that this made. */
export type Write = (edits: Edit[], revision: number) => Promise<number>;

export interface QueueOptions {
  /** How long edits are gathered from the first one on; while one batch is under way the next one gathers anyway. */
  delay: number;
  retry: number;
  batch: number;
}

const QUEUE: QueueOptions = { delay: 40, retry: 2000, batch: 500 };

export class SaveQueue {
  private waiting = new Map<string, Edit>();
  private sending = new Map<string, Edit>();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private running: Promise<void> | null = null;
  /** Edits that are sent at a time: fewer where so many were too large for the service. */
  private most: number;
  private closed = false;
  private ended = false;
  state: State = 'saved';
  refusal: string | null = null;
  /** Why it is offline, where the service said so. */
  reason: string | null = null;
  conflicts: Conflict[] = [];
  /** Whether somebody else wrote labels that are not known here. */
  behind = false;

  constructor(
    public revision: number,
    private readonly write: Write,
    private readonly store: Store,
    private readonly changed: () => void,
    private readonly options: QueueOptions = QUEUE,
  ) {
    this.most = options.batch;
  }

  get pending(): number {
    return this.waiting.size + this.sending.size;
  }

  /** What is not saved yet. */
  edits(): Edit[] {
    const keys = new Set([...this.sending.keys(), ...this.waiting.keys()]);
    return [...keys].map((key) => {
      const [sent, waits] = [this.sending.get(key), this.waiting.get(key)];
      return (sent && waits ? merged(sent, waits) : (waits ?? sent)) as Edit;
    });
  }

  add(edit: Edit): void {
    const key = place(edit);
    const earlier = this.waiting.get(key);
    const now = earlier ? merged(earlier, edit) : edit;
    this.waiting.set(key, now);
    const unsent = this.sending.get(key);
    void this.store.put(unsent ? merged(unsent, now) : now);
    if (this.state === 'saved' || this.state === 'saving') this.turn('saving');
    if (!this.sending.size && this.state === 'saving' && this.timer === undefined) this.later(this.options.delay);
    this.changed();
  }

  /** Try now: the connection or the session is back. */
  flush(): Promise<void> {
    this.running ??= this.send().finally(() => (this.running = null));
    return this.running;
  }

  /**
   * Wait until everything is saved.
   *
   * @throws Problem - Something cannot be saved now: what rests on it has to wait.
   */
  async drain(): Promise<void> {
    while (!this.ended && this.pending && (this.state === 'saving' || this.state === 'saved')) await this.flush();
    if (this.pending) throw new Problem(0, t.save_first);
  }

  private async send(): Promise<void> {
    this.forgetTimer();
    if (this.ended || !this.waiting.size || this.state === 'conflict' || this.state === 'refused') return;
    const batch = [...this.waiting].slice(0, this.most);
    for (const [key, edit] of batch) {
      this.waiting.delete(key);
      this.sending.set(key, edit);
    }
    this.turn(this.state === 'offline' ? 'offline' : 'saving');
    try {
      this.revision = await this.write([...this.sending.values()], this.revision);
      this.done();
    } catch (error) {
      const sent = this.sending.size;
      this.putBack();
      this.trouble(error, sent);
    }
    this.changed();
  }

  /** In a conflict: mine shall stand (they are written over the others'), or theirs (mine are dropped). */
  async resolve(whose: 'mine' | 'theirs'): Promise<void> {
    if (whose === 'theirs') {
      for (const conflict of this.conflicts) await this.drop(`${conflict.frame_index}:${conflict.track_id}`);
    }
    this.conflicts = [];
    this.turn('saving');
    if (!this.waiting.size) this.turn('saved');
    await this.flush();
  }

  /** Send once more what the service would not take: the reason may be gone. */
  async again(): Promise<void> {
    this.refusal = null;
    this.turn('saving');
    await this.flush();
  }

  /** Drop what the service will not take. */
  async discard(): Promise<void> {
    for (const key of [...this.waiting.keys()]) await this.drop(key);
    this.refusal = null;
    this.turn('saved');
  }

  /** Nothing more is added here: what waits is sent now, and again until the service has it, or `end` is called. */
  close(): void {
    this.closed = true;
    this.forgetTimer();
    void this.flush();
  }

  /** Send no more; gives what is not saved, for somebody else to send. */
  end(): Edit[] {
    this.ended = true;
    this.forgetTimer();
    return this.edits();
  }

  private forgetTimer(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  private async drop(key: string): Promise<void> {
    const edit = this.waiting.get(key);
    this.waiting.delete(key);
    if (edit) await this.store.remove(edit);
  }

  private done(): void {
    for (const [key, edit] of this.sending) {
      const newer = this.waiting.get(key);
      // The browser's database does what it is told in this order; nobody waits for it.
      void (newer ? this.store.put(newer) : this.store.remove(edit));
    }
    this.sending.clear();
    this.reason = null;
    this.turn(this.waiting.size ? 'saving' : 'saved');
    if (this.waiting.size) this.later(0);
  }

  private putBack(): void {
    for (const [key, edit] of this.sending) {
      const newer = this.waiting.get(key);
      this.waiting.set(key, newer ? merged(edit, newer) : edit);
    }
    this.sending.clear();
  }

  private trouble(error: unknown, sent: number): void {
    const problem = error instanceof Problem ? error : new Problem(0, String(error));
    if (problem.status === 412 && problem.revision !== null) {
      this.revision = problem.revision;
      this.behind = true;
      this.conflicts = problem.conflicts.filter(
        (one) => JSON.stringify(one.yours) !== JSON.stringify(one.theirs) && !bothStand(this.waiting.get(`${one.frame_index}:${one.track_id}`), one),
      );
      if (this.conflicts.length) this.turn('conflict');
      else this.later(0);
    } else if (problem.status === 401) {
      this.turn('signed-out');
      // Nobody tells a queue whose video was left that somebody is signed in again.
      if (this.closed) this.later(this.options.retry);
    } else if (problem.status === 413 && sent > 1) {
      this.most = Math.floor(sent / 2);
      this.later(0);
    } else if (problem.status === 0 || problem.status === 429 || problem.status >= 500) {
      this.reason = problem.status ? problem.message : null;
      this.turn('offline');
      this.later(this.options.retry);
    } else {
      this.refusal = problem.message;
      this.turn('refused');
    }
  }

  private turn(state: State): void {
    this.state = state;
    this.changed();
  }

  private later(ms: number): void {
    this.forgetTimer();
    this.timer = setTimeout(() => {
      this.timer = undefined;
      void this.flush();
    }, ms);
  }
}
