/** Skeletons to begin with. */
export interface Template {
  id: string;
  title: string;
  name: string;
  keypoints: string[];
  edges: [number, number][];
  swap: [number, number][];
  sigmas?: number[];
}

/** Pairs of keypoints that differ only in their side. */
export function pairs(keypoints: readonly string[]): [number, number][] {
  const found: [number, number][] = [];
  keypoints.forEach((name, index) => {
    const other = name.replace(/left/gi, (word) => (word[0] === 'L' ? 'Right' : 'right'));
    if (other !== name) {
      const at = keypoints.indexOf(other);
      if (at >= 0) found.push([index, at]);
    }
  });
  return found;
}

function template(id: string, title: string, keypoints: string[], edges: [number, number][], sigmas?: number[]): Template {
  return { id, title, name: id, keypoints, edges, swap: pairs(keypoints), ...(sigmas ? { sigmas } : {}) };
}

const sides = (...names: string[]): string[] => names.flatMap((name) => [`left_${name}`, `right_${name}`]);

export const TEMPLATES: Template[] = [
  template(
    'coco-17',
    'Person, COCO (17)',
    ['nose', ...sides('eye', 'ear', 'shoulder', 'elbow', 'wrist', 'hip', 'knee', 'ankle')],
    [[15, 13], [13, 11], [16, 14], [14, 12], [11, 12], [5, 11], [6, 12], [5, 6], [5, 7], [6, 8], [7, 9], [8, 10], [1, 2], [0, 1], [0, 2], [1, 3], [2, 4], [3, 5], [4, 6]],
    [0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072, 0.062, 0.062, 0.107, 0.107, 0.087, 0.087, 0.089, 0.089],
  ),
  template(
    'posetrack-15',
    'Person, PoseTrack (15)',
    ['nose', 'head_bottom', 'head_top', ...sides('shoulder', 'elbow', 'wrist', 'hip', 'knee', 'ankle')],
    [[2, 0], [0, 1], [1, 3], [1, 4], [3, 5], [5, 7], [4, 6], [6, 8], [3, 9], [4, 10], [9, 10], [9, 11], [11, 13], [10, 12], [12, 14]],
  ),
  template(
    'mouse',
    'Mouse, from above (12)',
    ['snout', 'left_ear', 'right_ear', 'neck', 'left_forepaw', 'right_forepaw', 'spine', 'left_hindpaw', 'right_hindpaw', 'tail_base', 'tail_middle', 'tail_tip'],
    [[0, 1], [0, 2], [1, 3], [2, 3], [3, 6], [3, 4], [3, 5], [6, 9], [9, 7], [9, 8], [9, 10], [10, 11]],
  ),
  template(
    'fly',
    'Fly, from above (13)',
    ['head', 'thorax', 'abdomen', 'left_wing', 'right_wing', 'left_eye', 'right_eye', 'left_foreleg', 'right_foreleg', 'left_midleg', 'right_midleg', 'left_hindleg', 'right_hindleg'],
    [[0, 1], [1, 2], [1, 3], [1, 4], [0, 5], [0, 6], [1, 7], [1, 8], [1, 9], [1, 10], [1, 11], [1, 12]],
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
