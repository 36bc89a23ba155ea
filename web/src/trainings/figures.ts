/** The figures of a checkpoint's report that one looks at first. */
import { t } from '../strings';

interface Report {
  frames?: number;
  overall?: { mean?: number | null; median?: number | null; coverage?: number | null; pck?: Record<string, number | null> } | null;
  coco?: { ap?: number | null } | null;
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

/** Names and values, those that were measured. */
export function figures(metrics: unknown): [string, string][] {
  const { overall, coco, frames } = (metrics ?? {}) as Report;
  const found: [string, number | null | undefined][] = [
    [t.mean_error, overall?.mean],
    [t.median_error, overall?.median],
    [t.pck, overall?.pck?.['0.1']],
    [t.found, overall?.coverage],
    [t.oks_ap, coco?.ap],
  ];
  const rows = found
    .filter((row): row is [string, number] => typeof row[1] === 'number')
    .map(([name, value]): [string, string] => [name, percent(value)]);
  return rows.length && typeof frames === 'number' ? [...rows, [t.held_out_frames, String(frames)]] : rows;
}
