/** One video being labelled: frame, labels, subjects, what is selected, and what a person is about to place. */
import { sentence } from '../api/problem';
import type { Project, Track, Video } from '../api/types';
import { leftSide } from '../canvas/drawing';
import * as placing from '../labels/placing';
import { emptyPose, isPoint, type Point, type Pose, type Said } from '../labels/pose';
import { LabelStore } from '../labels/store.svelte';
import { t } from '../strings';
import * as tracks from '../tracks/calls';
import { Player } from './player.svelte';

const round = (value: number): number => Math.round(value * 100) / 100;

export class Desk {
  tracks = $state.raw<Track[]>([]);
  track = $state<number | null>(null);
  keypoint = $state<number | null>(null);
  placing = $state.raw<placing.Placing | null>(null);
  posesHidden = $state(false);
  ghost = $state(false);
  note = $state<string | null>(null);
  cuts = $state.raw<readonly number[]>([]);
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
    this.player = new Player(video);
    this.labels = new LabelStore(video.id, this.player.count, this.names.length, this.retired);
  }

  async open(): Promise<void> {
    await this.readTracks();
    this.track = this.tracks[0]?.id ?? null;
    await this.labels.open();
  }

  async readTracks(): Promise<void> {
    this.tracks = await tracks.list(this.video.id);
    if (!this.tracks.some((one) => one.id === this.track)) this.select(this.tracks[0]?.id ?? null);
  }

  close(): void {
    this.player.close();
    this.labels.close();
  }

  get frame(): number {
    return this.player.frame;
  }

  /** What people say of the selected subject here. */
  pose(): Pose {
    const said = this.track === null ? undefined : this.labels.pose(this.frame, this.track);
    return said ?? emptyPose(this.names.length);
  }

  select(track: number | null, keypoint: number | null = null): void {
    if (track !== this.track) this.placing = null;
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
  }

  startPlacing(from?: number): void {
    const begun = placing.begin(this.pose().points, this.retired);
    this.placing = from === undefined ? begun : { ...begun, at: from };
    this.keypoint = this.placing.at;
  }

  stopPlacing(): void {
    this.placing = null;
  }

  /** Nothing of the selected subject is here: the next click places its first keypoint. */
  get blank(): boolean {
    if (this.track === null) return true;
    return !this.pose().absent && this.labels.seen(this.frame, this.track).every((point) => point === null);
  }

  async addTrack(): Promise<void> {
    const number = 1 + Math.max(0, ...this.tracks.map((one) => one.id));
    const made = await tracks.add(this.video.id, t.subject(number));
    await this.readTracks();
    this.select(made.id);
    this.startPlacing();
  }

  /** Place the present keypoint, making the first subject where there is none. */
  async placeAt(at: { x: number; y: number }, hidden: boolean): Promise<void> {
    const frame = this.frame;
    if (this.track === null) await this.addTrack();
    if (frame !== this.frame) return;
    if (!this.placing) this.startPlacing();
    const index = this.placing?.at ?? null;
    if (index === null) return;
    this.sayOf(index, { x: round(at.x), y: round(at.y), v: hidden ? 1 : 2 });
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
    if (this.placing) this.proceed(placing.skip);
  }

  back(): void {
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
    if (this.track !== null) this.labels.say(this.frame, this.track, pose);
  }

  absent(): void {
    const index = this.placing?.at ?? this.keypoint;
    if (index === null || this.track === null) return;
    this.sayOf(index, this.pose().points[index] === 'absent' ? null : 'absent');
    this.proceed(placing.placed);
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

  accept(): void {
    const machine = this.track === null ? undefined : this.labels.machine.at(this.frame, this.track);
    if (!machine) {
      this.note = t.nothing_to_accept;
      return;
    }
    const pose = this.pose();
    const points = pose.points.map((said, index): Said => said ?? rounded(machine.points[index] ?? null));
    this.say({ absent: pose.absent, points });
  }

  moveTo(keypoint: number, at: { x: number; y: number }): void {
    if (this.track === null) return;
    const seen = this.labels.seen(this.frame, this.track)[keypoint];
    this.sayOf(keypoint, { x: round(at.x), y: round(at.y), v: seen?.hidden ? 1 : 2 });
  }

  /** Move everything that is seen of the selected subject. */
  shift(by: { x: number; y: number }): void {
    if (this.track === null) return;
    const seen = this.labels.seen(this.frame, this.track);
    const pose = this.pose();
    const points = pose.points.map((said, index): Said => {
      const point = seen[index];
      return point ? { x: round(point.x + by.x), y: round(point.y + by.y), v: point.hidden ? 1 : 2 } : said;
    });
    this.say({ absent: false, points });
  }

  remove(): void {
    if (this.keypoint !== null && isPointOrAbsent(this.pose().points[this.keypoint])) this.sayOf(this.keypoint, null);
  }

  undo(redo = false): void {
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

const rounded = (point: Point | null): Said => (point ? { ...point, x: round(point.x), y: round(point.y) } : null);
const isPointOrAbsent = (said: Said | undefined): boolean => isPoint(said) || said === 'absent';
