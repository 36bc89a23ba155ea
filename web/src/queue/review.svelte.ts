/** Going through what a machine is least sure of: the queue, verdicts on what is seen, and fixes that are propagated. */
import { follow, finished } from '../api/events';
import { sentence } from '../api/problem';
import type { Review, Suggestion } from '../api/types';
import type { Desk } from '../labelling/desk.svelte';
import { saysNothing } from '../labels/pose';
import { addressOf } from '../shell/places';
import { t } from '../strings';
import { neighbour } from '../timeline/layout';
import * as calls from './calls';
import { progress } from './progress.svelte';
import { engineOf } from './engine';

const LISTED = 60;
/** A machine's point that is less sure than this is ringed. */
export const UNSURE = 0.5;

export class ReviewQueue {
  /** Correct mode: suspects are ringed, Space is right. */
  on = $state(false);
  items = $state.raw<Suggestion[]>([]);
  current = $state.raw<Suggestion | null>(null);
  /** Whether the service was asked and has not answered yet. */
  loading = $state(false);
  waiting = $state(0);
  last = $state.raw<Review | null>(null);
  busy = $state(false);
  /** Whether the view follows the subject from one suggestion to the next. */
  zooms = $state(true);
  private judged: Suggestion | null = null;
  /** Whether a verdict is on its way. */
  private saying = false;
  private stop: () => void = () => undefined;

  constructor(private readonly desk: Desk) {}

  private get video(): number {
    return this.desk.video.id;
  }

  async toggle(): Promise<void> {
    this.on = !this.on;
    this.current = null;
    if (!this.on) return;
    progress.since = Date.now();
    progress.done = 0;
    await this.read();
    if (this.items[0]) this.open(this.items[0]);
  }

  /** Go on with a review that led from another video to this one. */
  async takeUp(): Promise<void> {
    const { next } = progress;
    progress.next = null;
    if (next?.video_id !== this.video) return;
    this.on = true;
    this.open(next);
    await this.read();
  }

  /** Go through all videos of the project, or through this one alone. */
  async goThrough(everywhere: boolean): Promise<void> {
    progress.everywhere = everywhere;
    await this.read();
  }

  private async read(): Promise<void> {
    this.loading = true;
    await this.load().finally(() => (this.loading = false));
  }

  async load(): Promise<void> {
    const page = progress.everywhere ? await calls.projectQueue(this.desk.project.id, LISTED) : await calls.queue(this.video, LISTED);
    const left = progress.away.left(page.items);
    this.waiting = Math.max(0, page.waiting - (page.items.length - left.length));
    // What somebody looks at stays in the list, also where the service would now propose its neighbour.
    const here = this.current;
    this.items = here && progress.away.left([here]).length && !left.some((one) => this.isCurrent(one)) ? [here, ...left] : left;
  }

  open(one: Suggestion): void {
    if (one.video_id !== this.video) {
      progress.next = one;
      location.hash = addressOf({ screen: 'video', video: one.video_id });
      return;
    }
    this.current = one;
    this.desk.select(one.track_id, one.keypoint);
    this.desk.go(one.frame_index);
  }

  step(by: 1 | -1): void {
    const at = this.items.findIndex((one) => this.isCurrent(one));
    const one = this.items[at < 0 ? 0 : at + by];
    if (one) this.open(one);
    else this.desk.note = this.items.length ? t.queue_end : t.queue_empty;
  }

  isCurrent(one: Suggestion): boolean {
    const { current } = this;
    return current?.video_id === one.video_id && current.frame_index === one.frame_index && current.track_id === one.track_id;
  }

  /** Pass the present one over: for good, or for half an hour. */
  async put(how: 'skip' | 'snooze'): Promise<void> {
    if (!this.current) return;
    progress.away[how](this.current);
    await this.leave(false);
  }

  /** Right, and on to the next: what is seen is accepted, or what was fixed here is propagated. */
  right(): Promise<void> {
    return this.alone(async () => {
      const { current } = this;
      const { frame, track } = this.desk;
      if (track === null) return;
      if (this.labelled(frame, track)) void this.desk.trying(() => this.spread(frame, track));
      else await this.say('accept', frame, frame + 1, track);
      if (current && this.isCurrent(current)) await this.leave();
    });
  }

  /** A verdict on the selected subject here; where none is selected, on all. */
  judge(verdict: 'accept' | 'reject'): Promise<void> {
    return this.alone(async () => {
      const { current } = this;
      const { frame, track } = this.desk;
      await this.say(verdict, frame, frame + 1, track);
      if (this.on && current?.frame_index === frame && this.isCurrent(current)) await this.leave();
    });
  }

  /** Accept everything of the selected subject between the keyframes around. */
  acceptSpan(): Promise<void> {
    return this.alone(async () => {
      const { track, frame } = this.desk;
      if (track === null) return;
      const keyframes = this.desk.labels.keyframes(track);
      const start = keyframes.includes(frame) ? frame : (neighbour(keyframes, frame, -1) ?? 0);
      await this.say('accept', start, (neighbour(keyframes, frame, 1) ?? this.desk.player.count - 1) + 1, track);
    });
  }

  async takeBack(): Promise<void> {
    if (!this.last) return;
    await calls.undo(this.video, this.last.id);
    if (this.judged) progress.away.judge(this.judged, false);
    this.desk.note = t.verdict_undone;
    this.last = null;
    progress.done = Math.max(0, progress.done - 1);
    await this.changed();
  }

  close(): void {
    this.stop();
  }

  private labelled(frame: number, track: number): boolean {
    const pose = this.desk.labels.pose(frame, track);
    return pose !== undefined && !saysNothing(pose);
  }

  /** Who presses a key twice means what is seen, not what comes next: until that is done with the second time counts for nothing. */
  private async alone(act: () => Promise<void>): Promise<void> {
    if (this.saying) return;
    this.saying = true;
    await act().finally(() => (this.saying = false));
  }

  private async say(verdict: 'accept' | 'reject', start: number, stop: number, track: number | null): Promise<void> {
    const subjects = track === null ? this.desk.tracks.map((one) => one.id) : [track];
    // What a run shows that came in the meantime was not looked at.
    const run = Math.max(0, ...subjects.map((one) => this.desk.labels.machine.at(this.desk.frame, one)?.run ?? 0));
    const made = await calls.say(this.video, {
      verdict,
      start,
      stop,
      ...(track === null ? {} : { track_id: track }),
      ...(run ? { run_id: run } : {}),
    });
    this.last = made;
    progress.done++;
    const bound = made.radius90 === null ? '' : t.within(made.radius90);
    this.desk.note = (verdict === 'accept' ? t.accepted_frames : t.rejected_frames)(stop - start, bound);
    void this.changed();
  }

  /** On from the present suggestion, which is done with. */
  private async leave(judged = true): Promise<void> {
    const at = this.items.findIndex((one) => this.isCurrent(one));
    if (!this.on || !this.current) return;
    this.judged = judged ? this.current : null;
    if (judged) progress.away.judge(this.current);
    if (at < 0) return this.step(1);
    this.items = this.items.filter((_, index) => index !== at);
    this.waiting = Math.max(0, this.waiting - 1);
    if (this.items.length < 5 && this.waiting > this.items.length) await this.load();
    const next = this.items[Math.min(at, this.items.length - 1)];
    if (next) this.open(next);
    else {
      this.current = null;
      this.desk.note = t.queue_empty;
    }
  }

  /** Propagate what was fixed into the two gaps beside it, and show it when it is there. */
  private async spread(frame: number, track: number): Promise<void> {
    const keyframes = this.desk.labels.keyframes(track);
    const from = neighbour(keyframes, frame, -1) ?? 0;
    const to = (neighbour(keyframes, frame, 1) ?? this.desk.player.count - 1) + 1;
    await this.desk.labels.queue.drain();
    progress.done++;
    const fixed = this.desk.labels.machine.at(frame, track)?.run;
    const engine = engineOf(this.desk.runs.items.find((run) => run.id === fixed));
    const job = await calls.repropagate(this.video, { engine, track, start: from, stop: to, run: fixed });
    this.busy = true;
    this.stop();
    const stop = (this.stop = follow(job.id, (now) => {
      if (!finished(now)) return;
      // It is busy until the new poses can be seen, or until another fix is.
      const seen = this.desk.labels.machine.refresh(this.desk.frame).then(() => {
        if (this.stop === stop) this.busy = false;
        if (now.state === 'failed' && now.error) this.desk.note = sentence(now.error);
      });
      void this.desk.trying(() => seen.then(() => this.listed()));
    }));
  }

  private async changed(): Promise<void> {
    await this.desk.labels.machine.refresh(this.desk.frame);
    await this.listed();
  }

  /** Read what there is to go through, and the runs. */
  private async listed(): Promise<void> {
    await Promise.all([this.desk.runs.read(), this.on ? this.load() : undefined]);
  }
}
