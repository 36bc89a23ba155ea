/** Skeletons to begin with. */
import { pairs } from './pairs';

export interface Template {
  id: string;
  title: string;
  name: string;
  keypoints: string[];
  edges: [number, number][];
  swap: [number, number][];
  sigmas?: number[];
  /** Where each keypoint is drawn, in a square of 100. */
  places: [number, number][];
}

type Places = Record<string, [number, number]>;
/** Both sides by the place of the left one: the right one is its mirror image, and follows it. */
const both = (places: Places): Places =>
  Object.fromEntries(
    Object.entries(places).flatMap(([name, [x, y]]): [string, [number, number]][] => [
      [`left_${name}`, [x, y]],
      [`right_${name}`, [100 - x, y]],
    ]),
  );

function template(id: string, title: string, at: Places, joined: string[], sigmas?: number[]): Template {
  const keypoints = Object.keys(at);
  const number = (name: string): number => keypoints.indexOf(name);
  const edges = joined.flatMap((line): [number, number][] => {
    const names = line.split(' ');
    const ends = (one: string): string[] => (one.startsWith('*') ? [`left_${one.slice(1)}`, `right_${one.slice(1)}`] : [one, one]);
    return names.slice(1).flatMap((name, index): [number, number][] => {
      const [from, to] = [ends(names[index] ?? ''), ends(name)];
      const drawn = from.map((one, side): [number, number] => [number(one), number(to[side] ?? '')]);
      return drawn.filter(([a, b], side) => side === 0 || a !== drawn[0]?.[0] || b !== drawn[0]?.[1]);
    });
  });
  return { id, title, name: id, keypoints, edges, swap: pairs(keypoints), places: Object.values(at), ...(sigmas ? { sigmas } : {}) };
}

const FINGERS: [string, number, number][] = [
  ['thumb', 20, 52],
  ['index', 38, 34],
  ['middle', 50, 30],
  ['ring', 61, 33],
  ['little', 72, 40],
];
const JOINTS = ['mcp', 'pip', 'dip', 'tip'];
const finger = ([name, x, y]: [string, number, number]): [string, [number, number]][] =>
  (name === 'thumb' ? ['cmc', 'mcp', 'ip', 'tip'] : JOINTS).map((joint, index) => [
    `${name}_${joint}`,
    name === 'thumb' ? [40 - index * 8, 78 - index * 11] : [50 + (x - 50) * (0.75 + index * 0.13), 56 + (y - 56) * ((index + 0.4) / 3.4)],
  ]);
const hand = FINGERS.flatMap(finger);

export const TEMPLATES: Template[] = [
  template(
    'coco-17',
    'Person, COCO (17)',
    { nose: [50, 12], ...both({ eye: [53, 9], ear: [57, 11], shoulder: [63, 25], elbow: [70, 39], wrist: [75, 52], hip: [58, 53], knee: [60, 73], ankle: [61, 93] }) },
    ['left_hip right_hip', 'left_shoulder right_shoulder', '*hip *knee *ankle', '*shoulder *hip', '*shoulder *elbow *wrist', 'left_eye right_eye', 'nose *eye *ear *shoulder'],
    [0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072, 0.062, 0.062, 0.107, 0.107, 0.087, 0.087, 0.089, 0.089],
  ),
  template(
    'posetrack-15',
    'Person, PoseTrack (15)',
    { nose: [50, 12], head_bottom: [50, 19], head_top: [50, 4], ...both({ shoulder: [63, 25], elbow: [70, 39], wrist: [75, 52], hip: [58, 53], knee: [60, 73], ankle: [61, 93] }) },
    ['head_top nose head_bottom *shoulder *elbow *wrist', '*shoulder *hip *knee *ankle', 'left_hip right_hip'],
  ),
  template(
    'hand-21',
    'Hand (21)',
    { wrist: [50, 92], ...Object.fromEntries(hand) },
    FINGERS.map(([name]) => ['wrist', ...hand.map(([joint]) => joint).filter((joint) => joint.startsWith(name))].join(' ')),
  ),
  template(
    'mouse',
    'Mouse, from above (12)',
    {
      snout: [50, 8],
      ...both({ ear: [58, 18] }),
      neck: [50, 26],
      ...both({ forepaw: [61, 32] }),
      spine: [50, 42],
      ...both({ hindpaw: [63, 58] }),
      tail_base: [50, 64],
      tail_middle: [52, 80],
      tail_tip: [47, 95],
    },
    ['snout *ear neck spine tail_base tail_middle tail_tip', 'neck *forepaw', 'tail_base *hindpaw'],
  ),
  template(
    'fly',
    'Fly, from above (13)',
    {
      head: [50, 16],
      thorax: [50, 36],
      abdomen: [50, 66],
      ...both({ wing: [62, 84], eye: [56, 12], foreleg: [68, 18], midleg: [80, 42], hindleg: [76, 72] }),
    },
    ['head thorax abdomen', 'thorax *wing', 'head *eye', 'thorax *foreleg', 'thorax *midleg', 'thorax *hindleg'],
  ),
  template(
    'horse',
    'Horse, from the side (22)',
    {
      nose: [6, 38],
      eye: [14, 26],
      poll: [20, 18],
      withers: [38, 32],
      back: [56, 35],
      croup: [76, 33],
      tail_base: [86, 38],
      tail_tip: [92, 66],
      left_shoulder: [32, 48],
      right_shoulder: [35, 47],
      left_elbow: [33, 58],
      right_elbow: [38, 57],
      left_front_knee: [31, 74],
      right_front_knee: [40, 73],
      left_front_hoof: [30, 94],
      right_front_hoof: [42, 92],
      left_stifle: [74, 55],
      right_stifle: [78, 54],
      left_hock: [80, 73],
      right_hock: [86, 71],
      left_hind_hoof: [77, 94],
      right_hind_hoof: [87, 92],
    },
    ['nose eye poll withers back croup tail_base tail_tip', 'withers *shoulder *elbow *front_knee *front_hoof', 'croup *stifle *hock *hind_hoof'],
  ),
];

export class BadEdge extends Error {
  constructor(
    readonly kind: 'form' | 'name',
    readonly text: string,
  ) {
    super(text);
  }
}

/** Keypoints and edges as somebody types them, one a line. */
export function readSkeleton(points: string, lines: string): Pick<Template, 'keypoints' | 'edges' | 'swap'> {
  const rows = (text: string) => text.split('\n').map((line) => line.trim()).filter(Boolean);
  const keypoints = rows(points);
  const edges = rows(lines).map((line): [number, number] => {
    const ends = line.split(/\s+[-–—]\s+|\s*,\s*/).map((end) => end.trim());
    if (ends.length !== 2) throw new BadEdge('form', line);
    const [a, b] = ends.map((end) => {
      const at = keypoints.indexOf(end);
      if (at < 0) throw new BadEdge('name', end);
      return at;
    });
    return [a ?? 0, b ?? 0];
  });
  return { keypoints, edges, swap: pairs(keypoints) };
}

export const writeEdges = ({ keypoints, edges }: Pick<Template, 'keypoints' | 'edges'>): string =>
  edges.map(([a, b]) => `${keypoints[a]} – ${keypoints[b]}`).join('\n');

/** Where a template draws these keypoints; null where none has just them. */
export function placesFor(keypoints: readonly string[]): { x: number; y: number }[] | null {
  const known = TEMPLATES.find((one) => one.keypoints.join('\n') === keypoints.join('\n'));
  return known ? known.places.map(([x, y]) => ({ x, y })) : null;
}
