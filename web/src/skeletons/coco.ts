/** A skeleton out of a COCO keypoints file. */
import type { Skeleton } from '../api/types';
import { pairs } from './pairs';

interface Category {
  id?: unknown;
  name?: unknown;
  keypoints?: unknown;
  skeleton?: unknown;
  sigmas?: unknown;
}

export class NotCoco extends Error {}

export interface Found {
  skeleton: Skeleton;
  /** Where its fullest pose has each keypoint, in a square of 100; null where nothing was labelled. */
  places: ({ x: number; y: number } | null)[] | null;
}

/**
 * The first category with keypoints.
 *
 * @throws NotCoco - The text is no such file.
 */
export function readCoco(text: string): Found {
  let file: { categories?: unknown; annotations?: unknown };
  try {
    file = JSON.parse(text) as typeof file;
  } catch {
    throw new NotCoco('json');
  }
  const categories = Array.isArray(file?.categories) ? (file.categories as Category[]) : [];
  const category = categories.find((one) => Array.isArray(one?.keypoints) && one.keypoints.length > 0);
  if (!category) throw new NotCoco('category');
  const keypoints = (category.keypoints as unknown[]).map(String);
  const count = keypoints.length;
  const edges = (Array.isArray(category.skeleton) ? (category.skeleton as unknown[]) : [])
    .map((edge) => (Array.isArray(edge) ? edge.map((end) => Number(end) - 1) : []))
    .filter((edge): edge is [number, number] => edge.length === 2 && edge.every((end) => Number.isInteger(end) && end >= 0 && end < count) && edge[0] !== edge[1]);
  const sigmas = Array.isArray(category.sigmas) && category.sigmas.length === count ? { sigmas: category.sigmas.map(Number) } : {};
  const skeleton = { name: String(category.name ?? 'skeleton'), keypoints, edges, swap: pairs(keypoints), ...sigmas };
  return { skeleton, places: placesOf(file.annotations, category.id, count) };
}

function placesOf(annotations: unknown, category: unknown, count: number): Found['places'] {
  if (!Array.isArray(annotations)) return null;
  const rows = (annotations as { category_id?: unknown; keypoints?: unknown }[])
    .filter((one) => one?.category_id === category && Array.isArray(one.keypoints) && one.keypoints.length === 3 * count)
    .map((one) => (one.keypoints as unknown[]).map(Number));
  return fullest(
    rows.map((row) => ({ keypoints: Array.from({ length: count }, (_, index) => row.slice(3 * index, 3 * index + 3)) })),
    count,
  );
}

/** Where the fullest of some labels has each keypoint, in a square of 100; null where none has two. */
export function fullest(labels: readonly { keypoints: readonly (readonly number[])[] }[], count: number): Found['places'] {
  let best: Found['places'] = null;
  let most = 1;
  for (const { keypoints } of labels) {
    const points = Array.from({ length: count }, (_, index) => {
      const [x = 0, y = 0, v = 0] = keypoints[index] ?? [];
      return v > 0 ? { x, y } : null;
    });
    const said = points.filter((point) => point !== null).length;
    if (said > most) [best, most] = [points, said];
  }
  return best && inSquare(best);
}

/** Places of any size in a square of 100, with a margin, as they lie to each other. */
function inSquare(points: readonly ({ x: number; y: number } | null)[]): ({ x: number; y: number } | null)[] {
  const known = points.filter((point) => point !== null);
  const [xs, ys] = [known.map((point) => point.x), known.map((point) => point.y)];
  const [left, top] = [Math.min(...xs), Math.min(...ys)];
  const side = Math.max(Math.max(...xs) - left, Math.max(...ys) - top, 1e-9);
  const [dx, dy] = [(side - (Math.max(...xs) - left)) / 2, (side - (Math.max(...ys) - top)) / 2];
  const scaled = (value: number): number => Math.round(10 * (8 + (84 * value) / side)) / 10;
  return points.map((point) => (point ? { x: scaled(point.x - left + dx), y: scaled(point.y - top + dy) } : null));
}
