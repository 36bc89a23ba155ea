/** The tour: begun, gone on with after a reload, left or done; this browser remembers which. */
import { Problem, sentence } from '../api/problem';
import { projects } from '../projects/projects.svelte';
import { addressOf, placeOf } from '../shell/places';
import { makeProject, sendSample } from './sample';
import { look, STEPS, type Labelled, type Step } from './steps';

const KEPT = 'posetween-tour';
const AGAIN_MS = 1500;
/** A worker that runs has read the sample by then. */
const READ_MS = 20_000;
const STATES = ['on', 'left', 'done'] as const;

interface Kept {
  state: (typeof STATES)[number];
  project: number | null;
  video: number | null;
  /** When it was begun and ended, in milliseconds. */
  began: number;
  ended: number | null;
}

function remembered(): Kept | null {
  try {
    const read = JSON.parse(localStorage.getItem(KEPT) ?? 'null') as Kept | null;
    const sound = read && STATES.includes(read.state) && [read.project, read.video].every((id) => id === null || Number.isInteger(id));
    return sound ? { ...read, began: Number(read.began) || Date.now() } : null;
  } catch {
    return null;
  }
}

class Tour {
  kept = $state.raw<Kept | null>(remembered());
  /** How many steps are done. */
  done = $state(0);
  labelled = $state.raw<Labelled>({ whole: 0, missing: 0 });
  fault = $state<string | null>(null);
  /** The sample is not read although it should be. */
  late = $state(false);
  /** It ended just now, and says so until it is closed. */
  ending = $state(false);
  private timer: ReturnType<typeof setTimeout> | undefined;
  private following = 0;

  get on(): boolean {
    return this.kept?.state === 'on';
  }

  get step(): Step | null {
    return STEPS[this.done] ?? null;
  }

  get minutes(): number {
    return this.kept ? ((this.kept.ended ?? Date.now()) - this.kept.began) / 60_000 : 0;
  }

  /** Begin it, or begin it anew. */
  async begin(): Promise<void> {
    this.stop();
    this.done = 0;
    this.ending = false;
    this.labelled = { whole: 0, missing: 0 };
    this.keep({ state: 'on', project: null, video: null, began: Date.now(), ended: null });
    await this.prepare();
  }

  /** Make what is missing of the project and its video; tried again after a fault. */
  async prepare(): Promise<void> {
    this.fault = null;
    try {
      const project = this.kept?.project ?? (await makeProject()).id;
      this.know({ project });
      this.know({ video: (await sendSample(project)).id });
      await projects.read();
      this.follow();
    } catch (error) {
      this.fault = sentence(error);
    }
  }

  /** Have no tour, or no more of it. */
  leave(): void {
    this.stop();
    const nothing = { project: null, video: null, began: Date.now(), ended: null };
    this.keep({ ...(this.kept ?? nothing), state: 'left' });
  }

  /** Look again and again how far it is, while it is on. */
  follow(): void {
    this.stop();
    const mine = this.following;
    const again = async () => {
      if (!document.hidden) await this.see();
      if (this.on && mine === this.following) this.timer = setTimeout(again, AGAIN_MS);
    };
    if (this.on && this.kept?.video) void again();
  }

  stop(): void {
    this.following++;
    clearTimeout(this.timer);
  }

  private async see(): Promise<void> {
    const { project, video } = this.kept ?? {};
    if (!project || !video) return;
    const before = this.done;
    try {
      const seen = await look(project, video, before);
      if (this.kept?.video !== video || !this.on) return;
      this.fault = seen.reason;
      this.labelled = seen.labelled;
      this.done = seen.done;
      this.late = seen.done === 0 && Date.now() - this.kept.began > READ_MS;
    } catch (error) {
      // Somebody deleted it: there is nothing to go on with. After any other fault it is looked at again.
      if (error instanceof Problem && error.status === 404) this.keep(null);
      return;
    }
    if (before === 0 && this.done > 0 && placeOf(location.hash)?.screen === 'home') location.hash = addressOf({ screen: 'video', video });
    if (this.done < STEPS.length) return;
    this.keep({ ...this.kept, state: 'done', ended: Date.now() });
    this.ending = true;
  }

  private know(more: Partial<Kept>): void {
    if (this.kept) this.keep({ ...this.kept, ...more });
  }

  private keep(kept: Kept | null): void {
    this.kept = kept;
    try {
      if (kept) localStorage.setItem(KEPT, JSON.stringify(kept));
      else localStorage.removeItem(KEPT);
    } catch {
      // Where nothing can be kept it holds until the page is left.
    }
  }
}

export const tour = new Tour();
