/** One video being labelled: frame, labels, subjects, what is selected, and what a person is about to place. */
import { Doing } from '../api/asked.svelte';
import { sentence } from '../api/problem';
import type { Project, Track, Video } from '../api/types';
import * as placing from '../labels/placing';
import { adopted, emptyPose, isPoint, placed, shifted, type Point, type Pose, type Said, type Seen } from '../labels/pose';
import { LabelStore } from '../labels/store.svelte';
import { leftSide } from '../skeletons/pairs';
import { t } from '../strings';
import * as tracks from '../tracks/calls';
import { useColours } from '../tracks/colours';
import type { Range } from '../timeline/range';
import type { Side } from './ghost';
import { Hand } from './hand.svelte';
import { between, every, leastSure, stepFor, type Pass } from './pass';
import { Comparison } from '../runs/comparison.svelte';
import { RunList } from '../runs/list.svelte';
import { ReviewQueue, UNSURE } from '../queue/review.svelte';
import { Player } from './player.svelte';
import { Plotted } from './plotted.svelte';

export class Desk {
  tracks = $state.raw<Track[]>([]);
  /** Whether an act on tracks is under way. */
  tracksChange = false;
  /** Reading what there is of the video, which can be tried again. */
  readonly opening = new Doing();
  private adding: Promise<void> | null = null;
  track = $state<number | null>(null);
  keypoint = $state<number | null>(null);
  placing = $state.raw<placing.Placing | null>(null);
  posesHidden = $state(false);
  /** Which neighbouring keyframe is drawn as well. */
  ghost = $state<Side | null>(null);
  loupe = $state(false);
  pass = $state.raw<Pass | null>(null);
  /** Frames between two of the pass; null where it goes by how sure the machine is. */
  passStep = $state<number | null>(null);
  note = $state<string | null>(null);
  /** Frames that somebody chose on the timeline. */
  range = $state.raw<Range | null>(null);
  readonly hand = new Hand(this);
  readonly review = new ReviewQueue(this);
  readonly plotted: Plotted;
  readonly runs: RunList;
  readonly comparison: Comparison;
  readonly player: Player;
  readonly labels: LabelStore;
  readonly names: readonly string[];
  readonly left: ReadonlySet<number>;
  /** Keypoints that are not labelled any more. */
  readonly retired: ReadonlySet<number>;

  constructor(
    readonly video: Video,
    readonly project: Project,
  ) {
    this.names = project.skeleton.keypoints;
    this.left = leftSide(this.names);
    this.retired = placing.places(this.names, project.skeleton.retired ?? []);
    useColours(video.id);
    this.player = new Player(video);
    this.labels = new LabelStore(video.id, this.player.count, this.names.length, this.retired);
    this.plotted = new Plotted(this);
    this.runs = new RunList(video.id);
    this.comparison = new Comparison(video.id, this.player.count, this.runs, () => this.labels.version++);
  }

  /** Read what there is of the video; where that fails `opening` says why, and this is called once more. */
  async open(): Promise<void> {
    const read = await this.opening.do(async () => {
      this.labels.machine.near(this.frame);
      await this.readTracks();
      this.track = this.tracks[0]?.id ?? null;
      await this.labels.open();
    });
    if (!read) return;
    if (this.note === t.still_reading) this.note = null;
    await this.trying(() => this.review.takeUp());
  }

  async readTracks(): Promise<void> {
    this.tracks = await tracks.list(this.video.id);
    if (!this.tracks.some((one) => one.id === this.track)) this.select(this.tracks[0]?.id ?? null);
  }

  close(): void {
    this.review.close();
    this.plotted.close();
    this.player.close();
    this.labels.close();
  }

  get frame(): number {
    return this.player.frame;
  }

  /** All that is drawn of a subject on a frame; where suspects are gone through, they are marked. */
  figure(frame: number, track: number): (Seen & { suspect: boolean } | null)[] {
    const doubtful = this.review.on && track === this.track;
    const worst = this.review.current?.frame_index === frame && this.review.current.track_id === track ? this.review.current.keypoint : -1;
    const first = this.comparison.pair ? this.comparison.at(0, frame, track) : undefined;
    const seen = this.comparison.pair ? this.labels.seen(frame, track, first) : this.labels.seen(frame, track);
    return seen.map((point, index) =>
      point && { ...point, suspect: doubtful && !point.human && (index === worst || (point.score ?? 1) < UNSURE) },
    );
  }

  /** What people say of the selected subject here. */
  pose(): Pose {
    const said = this.track === null ? undefined : this.labels.pose(this.frame, this.track);
    return said ?? emptyPose(this.names.length);
  }

  select(track: number | null, keypoint: number | null = null): void {
    if (track !== this.track) this.placing = this.pass = null;
    this.track = track;
    this.keypoint = keypoint;
  }

  go(frame: number): void {
    this.player.go(frame);
    this.moved();
  }

  step(by: number): boolean {
    const could = this.player.step(by);
    if (could) this.moved();
    return could;
  }

  /** Whatever was about to be placed was about another frame. */
  private moved(): void {
    if (this.placing) this.placing = placing.begin(this.pose().points, this.retired);
    this.note = null;
    this.labels.machine.near(this.frame);
    this.comparison.near(this.frame);
  }

  /** What the other of two runs says, where two are compared. */
  other(frame: number, track: number): { other?: (Point | null)[] } {
    const pose = this.comparison.at(1, frame, track);
    return pose ? { other: pose.points.map((point, index) => (this.retired.has(index) ? null : point)) } : {};
  }

  /** Compare two runs, or stop. */
  compare(pair: readonly [number, number] | null): void {
    if (pair) this.comparison.set(pair, this.frame);
    else this.comparison.end();
    this.plotted.compares(pair !== null);
  }

  /** Compare a run with what is seen, or the two newest; stop where it is compared. */
  compareRun(run?: number): void {
    const { pair } = this.comparison;
    if (pair && (run === undefined || pair.includes(run))) return this.compare(null);
    if (this.comparison.begin(this.frame, run)) this.plotted.compares(true);
    else this.note = t.nothing_to_compare;
  }

  /** Whether a machine said anything of the selected subject. */
  get surveyed(): boolean {
    return this.track !== null && (this.labels.machine.scores.get(this.track)?.some((score) => !Number.isNaN(score)) ?? false);
  }

  /** Frames on which people placed a keypoint of the selected subject. */
  private placed(keypoint: number): { frame: number; x: number; y: number }[] {
    const track = this.track;
    if (track === null) return [];
    return this.labels.keyframes(track).flatMap((frame) => {
      const said = this.labels.pose(frame, track)?.points[keypoint];
      return isPoint(said) ? [{ frame, x: said.x, y: said.y }] : [];
    });
  }

  /** Go through many frames with one keypoint; `step` frames apart, or where the machine is least sure. */
  startPass(keypoint = this.keypoint ?? this.names.findIndex((_, index) => !this.retired.has(index)), step: number | null = this.passStep): void {
    if (this.track === null || this.tooEarly()) return;
    this.stopPlacing();
    // It is looked at once.
    // eslint-disable-next-line svelte/prefer-svelte-reactivity
    const said = new Set(this.placed(keypoint).map((one) => one.frame));
    this.passStep = step ?? (this.surveyed ? null : stepFor(this.player.count));
    const frames =
      this.passStep === null ? leastSure(this.labels.machine.scores.get(this.track), said) : every(this.passStep, this.player.count, said);
    this.pass = { keypoint, frames, at: 0 };
    this.keypoint = keypoint;
    if (frames[0] === undefined) this.endPass(t.pass_none);
    else this.go(frames[0]);
  }

  endPass(note: string | null = null): void {
    this.pass = null;
    this.note = note;
  }

  /** On to the next frame of the pass, or back. */
  private passOn(by: 1 | -1): void {
    if (!this.pass) return;
    const at = Math.max(0, this.pass.at + by);
    const frame = this.pass.frames[at];
    if (frame === undefined) return this.endPass(t.pass_done);
    this.pass = { ...this.pass, at };
    this.go(frame);
  }

  /** Where the keypoint of the pass should be on a frame. */
  expected(frame: number): { x: number; y: number } | null {
    if (!this.pass || this.track === null) return null;
    return this.labels.seen(frame, this.track)[this.pass.keypoint] ?? between(this.placed(this.pass.keypoint), frame);
  }

  /** Nothing is said before it is known what people have said: it would be said over it. */
  private tooEarly(): boolean {
    if (this.labels.loaded) return false;
    this.note = t.still_reading;
    return true;
  }

  startPlacing(from?: number): void {
    if (this.tooEarly()) return;
    const begun = placing.begin(this.pose().points, this.retired);
    this.placing = from === undefined ? begun : { ...begun, at: from };
    this.keypoint = this.placing.at;
  }

  stopPlacing(): void {
    this.placing = null;
  }

  /** Nothing of the selected subject is here, and that is known: the next click places its first keypoint. */
  get blank(): boolean {
    if (!this.labels.loaded || !this.labels.machine.heard(this.frame)) return false;
    if (this.track === null) return true;
    return !this.pose().absent && this.labels.seen(this.frame, this.track).every((point) => point === null);
  }

  /** Who asks twice before it is there means the same one. */
  async addTrack(): Promise<void> {
    if (this.tooEarly()) return;
    await (this.adding ??= this.newTrack().finally(() => (this.adding = null)));
  }

  private async newTrack(): Promise<void> {
    const number = 1 + Math.max(0, ...this.tracks.map((one) => one.id));
    const made = await tracks.add(this.video.id, t.subject(number));
    await this.readTracks();
    this.select(made.id);
    this.startPlacing();
  }

  /** Place the present keypoint, making the first subject where there is none. */
  async placeAt(at: { x: number; y: number }, hidden: boolean): Promise<void> {
    const frame = this.frame;
    if (this.pass) {
      this.sayOf(this.pass.keypoint, placed(at, hidden));
      this.passOn(1);
      return;
    }
    if (this.track === null) await this.addTrack();
    if (frame !== this.frame) return;
    if (!this.placing) this.startPlacing();
    const index = this.placing?.at ?? null;
    if (index === null) return;
    this.sayOf(index, placed(at, hidden));
    this.proceed(placing.placed);
  }

  private proceed(how: typeof placing.placed): void {
    if (!this.placing) return;
    this.placing = how(this.placing, this.pose().points);
    this.keypoint = this.placing.at ?? this.keypoint;
    if (this.placing.at === null) {
      this.placing = null;
      this.note = t.placing_done;
    }
  }

  skip(): void {
    if (this.pass) this.passOn(1);
    else if (this.placing) this.proceed(placing.skip);
  }

  back(): void {
    if (this.pass) return this.passOn(-1);
    if (!this.placing) return;
    this.placing = placing.back(this.placing);
    this.keypoint = this.placing.at;
  }

  /** Say something of one keypoint of the selected subject. */
  sayOf(keypoint: number, said: Said): void {
    const pose = this.pose();
    const points = pose.absent ? emptyPose(this.names.length).points : [...pose.points];
    points[keypoint] = said;
    this.say({ absent: false, points });
  }

  say(pose: Pose): void {
    if (this.track !== null && !this.tooEarly()) this.labels.say(this.frame, this.track, pose);
  }

  absent(): void {
    const index = this.pass?.keypoint ?? this.placing?.at ?? this.keypoint;
    if (index === null || this.track === null) return;
    this.sayOf(index, this.pose().points[index] === 'absent' ? null : 'absent');
    if (this.pass) this.passOn(1);
    else this.proceed(placing.placed);
  }

  /** Between visible and hidden; a machine's point becomes a person's. */
  toggleHidden(keypoint = this.keypoint): void {
    const seen = keypoint === null || this.track === null ? null : this.labels.seen(this.frame, this.track)[keypoint];
    if (seen && keypoint !== null) this.sayOf(keypoint, { x: seen.x, y: seen.y, v: seen.hidden ? 2 : 1 });
  }

  copy(): void {
    if (this.track === null) return;
    const before = this.labels.keyframes(this.track).filter((one) => one < this.frame).at(-1);
    const pose = before === undefined ? undefined : this.labels.pose(before, this.track);
    if (pose) this.say({ absent: pose.absent, points: [...pose.points] });
    else this.note = t.nothing_before;
  }

  /** Make the machine's pose a label of one's own. */
  adopt(): void {
    const machine = this.track === null ? undefined : this.labels.machine.at(this.frame, this.track);
    if (machine) this.say(adopted(this.pose(), machine.points));
    else this.note = t.nothing_to_accept;
  }

  moveTo(keypoint: number, at: { x: number; y: number }): void {
    if (this.track === null) return;
    const seen = this.labels.seen(this.frame, this.track)[keypoint];
    this.sayOf(keypoint, placed(at, seen?.hidden ?? false));
  }

  /** Move everything that is seen of the selected subject. */
  shift(by: { x: number; y: number }): void {
    if (this.track === null) return;
    this.say(shifted(this.pose(), this.labels.seen(this.frame, this.track), by));
  }

  remove(): void {
    if (this.keypoint !== null && this.pose().points[this.keypoint]) this.sayOf(this.keypoint, null);
  }

  /** Change tracks on the service. Everything that waits is saved first: what is moved is what is on the screen. */
  async changeTracks(act: () => Promise<number>): Promise<void> {
    await this.labels.queue.drain();
    await this.whileTracksChange(async () => this.labels.wrote(await act()));
    await this.readAgain();
  }

  /** Nobody asks about a track that may be gone until it is known which there are. */
  private async whileTracksChange(change: () => Promise<void>): Promise<void> {
    this.tracksChange = true;
    try {
      await change();
      await this.readTracks();
    } finally {
      this.tracksChange = false;
    }
  }

  private async readAgain(): Promise<void> {
    await this.labels.load();
    await this.labels.machine.refresh(this.frame);
  }

  private async undoRevision(revision: number, redo: boolean): Promise<void> {
    await this.labels.queue.drain();
    await this.whileTracksChange(async () => this.labels.turned(redo, await tracks.undo(this.video.id, revision)));
    this.note = redo ? t.redone_tracks : t.undone_tracks;
    await this.readAgain();
  }

  undo(redo = false): void {
    const revision = this.labels.revisionOnTop(redo);
    if (revision !== null) {
      void this.trying(() => this.undoRevision(revision, redo));
      return;
    }
    const elsewhere = redo ? this.labels.redo(this.frame) : this.labels.undo(this.frame);
    if (elsewhere !== null) {
      this.go(elsewhere);
      this.note = t.undo_elsewhere(elsewhere);
    }
  }

  async trying(act: () => Promise<unknown>): Promise<void> {
    try {
      await act();
    } catch (error) {
      this.note = sentence(error);
    }
  }
}
