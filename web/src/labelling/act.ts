/** What each key does while labelling. */
import type { Act } from '../keys/acts';
import { emptyPose } from '../labels/pose';
import { look } from '../canvas/look.svelte';
import type { Look } from '../canvas/view';
import { bisect } from './bisect';
import { turned } from './ghost';
import { neighbour } from '../timeline/layout';
import { edged } from '../timeline/range';
import type { Desk } from './desk.svelte';

export interface Around {
  look(what: Look): void;
  show(what: 'help' | 'go_to' | 'palette'): void;
  propagate(): void;
}

const STEPS: Partial<Record<Act, number>> = {
  next: 1,
  previous: -1,
  forward: 10,
  backward: -10,
  far_forward: 100,
  far_backward: -100,
};

/** Do an act; says whether something came of it. */
export function perform(act: Act, desk: Desk, around: Around): boolean {
  const by = STEPS[act];
  if (by !== undefined) return desk.step(by);
  const doing = acts(desk, around)[act];
  doing?.();
  return doing !== undefined;
}

function toKeyframe(desk: Desk, direction: 1 | -1): void {
  const of = desk.track === null ? [] : desk.labels.keyframes(desk.track);
  const frame = neighbour(of, desk.frame, direction);
  if (frame !== null) desk.go(frame);
}

function toNeediest(desk: Desk): void {
  const of = desk.track === null ? [] : desk.labels.keyframes(desk.track);
  const scores = desk.track === null ? undefined : desk.labels.machine.scores.get(desk.track);
  desk.go(bisect(of, desk.frame, desk.player.count, scores));
}

function nextKeypoint(desk: Desk, by: number): void {
  const count = desk.names.length;
  const from = desk.placing?.at ?? desk.keypoint ?? (by > 0 ? -1 : 0);
  let to = (from + by + count) % count;
  for (let step = 0; step < count && desk.retired.has(to); step++) to = (to + by + count) % count;
  desk.keypoint = to;
  if (desk.placing) desk.placing = { ...desk.placing, at: desk.keypoint };
}

/** To another suggestion; who is not going through them yet begins to. */
async function going(desk: Desk, by: 1 | -1): Promise<void> {
  if (desk.review.on) desk.review.step(by);
  else await desk.review.toggle();
}

function nextSubject(desk: Desk): void {
  const at = desk.tracks.findIndex((one) => one.id === desk.track);
  desk.select(desk.tracks[(at + 1) % Math.max(1, desk.tracks.length)]?.id ?? null);
}

function acts(desk: Desk, around: Around): Partial<Record<Act, () => void>> {
  return {
    first: () => desk.go(0),
    last: () => desk.go(desk.player.count - 1),
    next_keyframe: () => toKeyframe(desk, 1),
    previous_keyframe: () => toKeyframe(desk, -1),
    middle: () => toNeediest(desk),
    range_start: () => (desk.range = edged(desk.range, 'first', desk.frame, desk.player.count)),
    range_stop: () => (desk.range = edged(desk.range, 'last', desk.frame, desk.player.count)),
    go_to: () => around.show('go_to'),
    add_subject: () => void desk.trying(() => desk.addTrack()),
    next_subject: () => nextSubject(desk),
    hand: () => desk.hand.toggle(),
    place: () => (desk.placing ? desk.stopPlacing() : desk.track === null ? void desk.trying(() => desk.addTrack()) : desk.startPlacing()),
    next_keypoint: () => nextKeypoint(desk, 1),
    previous_keypoint: () => nextKeypoint(desk, -1),
    skip: () => desk.skip(),
    back: () => desk.back(),
    absent: () => desk.absent(),
    subject_absent: () => {
      desk.stopPlacing();
      desk.say(desk.pose().absent ? emptyPose(desk.names.length) : { ...emptyPose(desk.names.length), absent: true });
    },
    hidden: () => desk.toggleHidden(),
    copy: () => desk.copy(),
    adopt: () => desk.adopt(),
    review: () => void desk.trying(() => desk.review.toggle()),
    review_zoom: () => (desk.review.zooms = !desk.review.zooms),
    right: () => void (desk.review.on && desk.trying(() => desk.review.right())),
    accept: () => void desk.trying(() => desk.review.judge('accept')),
    accept_span: () => void desk.trying(() => desk.review.acceptSpan()),
    reject: () => void desk.trying(() => desk.review.judge('reject')),
    next_suggestion: () => void desk.trying(() => going(desk, 1)),
    previous_suggestion: () => void desk.trying(() => going(desk, -1)),
    snooze: () => void desk.trying(() => desk.review.put('snooze')),
    remove: () => desk.remove(),
    remove_pose: () => desk.say(emptyPose(desk.names.length)),
    undo: () => desk.undo(),
    redo: () => desk.undo(true),
    propagate: () => around.propagate(),
    fit: () => around.look('fit'),
    fit_subject: () => around.look('fit_subject'),
    zoom_in: () => around.look('zoom_in'),
    zoom_out: () => around.look('zoom_out'),
    pan_left: () => around.look('pan_left'),
    pan_right: () => around.look('pan_right'),
    pan_up: () => around.look('pan_up'),
    pan_down: () => around.look('pan_down'),
    hide: () => (desk.posesHidden = !desk.posesHidden),
    compare: () => desk.compareRun(),
    ghost: () => (desk.ghost = turned(desk.ghost)),
    loupe: () => (desk.loupe = !desk.loupe),
    brighter: () => look.change('brightness', 1),
    darker: () => look.change('brightness', -1),
    more_contrast: () => look.change('contrast', 1),
    less_contrast: () => look.change('contrast', -1),
    plain: () => look.reset(),
    quantity: () => desk.plotted.turn(),
    pass: () => (desk.pass ? desk.endPass() : desk.startPass()),
    palette: () => around.show('palette'),
    help: () => around.show('help'),
    escape: () => (desk.hand.at ? desk.hand.toggle() : desk.pass ? desk.endPass() : desk.placing ? desk.stopPlacing() : (desk.range = null)),
  };
}
