/** The labels of one video: what people say, what a machine says, what waits to be saved, and the way back. */
import { applied, difference, place, type Edit } from './edits';
import { MachinePoses } from './machine';
import { emptyPose, humanPose, sameSaid, saysNothing, together, type Pose, type Seen } from './pose';
import { SaveQueue } from './queue';
import { block, labels, overview } from './reading';
import { write } from './saving';
import * as storage from './storage';

interface Change {
  frame: number;
  track: number;
  before: Pose | undefined;
  after: Pose;
}

/** An act on the service that moved labels as one revision: of tracks, which the service undoes. */
interface Revision {
  revision: number;
}

const samePose = (a: Pose, b: Pose): boolean =>
  a.absent === b.absent && a.points.every((said, index) => sameSaid(said, b.points[index] ?? null));

/** Queues of videos that were left before everything was saved. */
// eslint-disable-next-line svelte/prefer-svelte-reactivity
const left = new Map<number, SaveQueue>();

export class LabelStore {
  /** Counts changes: what draws looks at it. */
  version = $state(0);
  saving = $state.raw<Pick<SaveQueue, 'state' | 'pending' | 'refusal' | 'reason'>>({ state: 'saved', pending: 0, refusal: null, reason: null });
  /** Whether it is known what people said. */
  loaded = $state(false);
  leftBehind = $state.raw<Edit[]>([]);
  readonly machine: MachinePoses;
  queue: SaveQueue;
  // Not reactive by itself: `version` tells of every change at once.
  // eslint-disable-next-line svelte/prefer-svelte-reactivity
  private human = new Map<string, Pose>();
  private done: (Change | Revision)[] = [];
  private undone: (Change | Revision)[] = [];

  constructor(
    readonly video: number,
    readonly count: number,
    readonly size: number,
    private readonly retired: ReadonlySet<number>,
  ) {
    const source = { block: (start: number, stop: number) => block(video, start, stop), overview: () => overview(video) };
    this.machine = new MachinePoses(source, count, () => this.version++);
    this.queue = this.newQueue(0);
  }

  /** Read what people said. Edits that wait count before it. */
  async load(): Promise<void> {
    const read = await labels(this.video, 'human', 0, this.count);
    // What was saved meanwhile is neither in what was read nor does it wait any more.
    if (read.revision < this.queue.revision) return this.load();
    this.human.clear();
    for (const label of read.labels) this.human.set(`${label.frame_index}:${label.track_id}`, humanPose(label));
    for (const edit of this.queue.edits()) this.human.set(place(edit), applied(this.human.get(place(edit)), edit));
    this.queue.revision = read.revision;
    this.queue.behind = false;
    this.loaded = true;
    this.version++;
  }

  async open(): Promise<void> {
    await this.load();
    this.take(left.get(this.video)?.end() ?? []);
    left.delete(this.video);
    this.leftBehind = await storage.leftBehind(this.video);
    void this.machine.survey();
  }

  pose(frame: number, track: number): Pose | undefined {
    return this.human.get(`${frame}:${track}`);
  }

  /** What people say over what a machine does, or over what one run does. */
  seen(frame: number, track: number, machine = this.machine.at(frame, track)): (Seen | null)[] {
    const all = together(this.pose(frame, track), machine, this.size);
    return this.retired.size ? all.map((point, index) => (this.retired.has(index) ? null : point)) : all;
  }

  keyframes(track: number): number[] {
    const frames: number[] = [];
    for (const [key, pose] of this.human) {
      const [frame, of] = key.split(':').map(Number);
      if (of === track && frame !== undefined && !saysNothing(pose)) frames.push(frame);
    }
    return frames.sort((a, b) => a - b);
  }

  /** Say something of a subject on a frame; saved within a second. */
  say(frame: number, track: number, after: Pose): void {
    const before = this.pose(frame, track);
    if (samePose(before ?? emptyPose(this.size), after)) return;
    this.change({ frame, track, before, after });
    this.done.push({ frame, track, before, after });
    this.undone = [];
  }

  /** Take back the last change on the frame that is looked at; else gives the frame to look at first. */
  undo(looking: number): number | null {
    const last = this.done.at(-1);
    if (!last || 'revision' in last) return null;
    if (last.frame !== looking) return last.frame;
    this.done.pop();
    this.undone.push(last);
    this.change({ ...last, before: last.after, after: last.before ?? emptyPose(this.size) });
    return null;
  }

  redo(looking: number): number | null {
    const last = this.undone.at(-1);
    if (!last || 'revision' in last) return null;
    if (last.frame !== looking) return last.frame;
    this.undone.pop();
    this.done.push(last);
    this.change(last);
    return null;
  }

  /** Tracks were changed on the service, as a revision. */
  wrote(revision: number): void {
    this.done.push({ revision });
    this.undone = [];
  }

  /** The revision to undo (or to redo) next, where the last thing that was done is one. */
  revisionOnTop(redo: boolean): number | null {
    const last = (redo ? this.undone : this.done).at(-1);
    return last && 'revision' in last ? last.revision : null;
  }

  /** The revision on top was undone, or redone, by another one: that one is the way back. */
  turned(redo: boolean, by: number): void {
    const [from, to] = redo ? [this.undone, this.done] : [this.done, this.undone];
    from.pop();
    to.push({ revision: by });
  }

  async takeUp(): Promise<void> {
    const edits = this.leftBehind;
    this.leftBehind = [];
    this.take(edits);
    await storage.forgetLeftBehind(this.video);
  }

  async dropLeftBehind(): Promise<void> {
    this.leftBehind = [];
    await storage.forgetLeftBehind(this.video);
  }

  async resolve(whose: 'mine' | 'theirs'): Promise<void> {
    await this.queue.resolve(whose);
    await this.load();
  }

  async discardRefused(): Promise<void> {
    await this.queue.discard();
    await this.load();
  }

  close(): void {
    this.queue.close();
    if (this.queue.pending) left.set(this.video, this.queue);
  }

  /** Make edits that nobody saved one's own. */
  private take(edits: readonly Edit[]): void {
    for (const edit of edits) {
      this.human.set(place(edit), applied(this.human.get(place(edit)), edit));
      this.queue.add(edit);
    }
    this.version++;
  }

  private change({ frame, track, before, after }: Change): void {
    const edit = difference(this.video, frame, track, before, after);
    if (!edit) return;
    // Somebody else may have said something of other keypoints since `before`: that stays.
    this.human.set(place(edit), applied(this.pose(frame, track), edit));
    this.version++;
    this.queue.add(edit);
  }

  private newQueue(revision: number): SaveQueue {
    const queue: SaveQueue = new SaveQueue(
      revision,
      (edits, known) => write(this.video, edits, known),
      storage,
      () => {
        this.saving = { state: queue.state, pending: queue.pending, refusal: queue.refusal, reason: queue.reason };
        if (queue.state === 'saved' && queue.behind) void this.load().catch(() => undefined);
      },
    );
    return queue;
  }
}
