/** Which frames of a curve to read so that what is seen has a value for each pixel. */
import type { Span } from './layout';

/** Most buckets of one answer. */
const BUCKETS = 4096;

/** All frames where each has a bucket; else a window around what is seen, the same while one moves about a little. */
export function windowOf(span: Span, count: number): { start: number; stop: number; buckets: number } {
  if (count <= BUCKETS || span.length * 2 > count) return { start: 0, stop: count, buckets: Math.min(count, BUCKETS) };
  let length = count;
  while (length / 2 >= span.length * 2) length /= 2;
  const step = length / 2;
  const start = Math.max(0, Math.min(count - length, Math.floor(span.start / step) * step));
  const [first, stop] = [Math.floor(start), Math.min(count, Math.ceil(start + length))];
  return { start: first, stop, buckets: Math.min(BUCKETS, stop - first) };
}
