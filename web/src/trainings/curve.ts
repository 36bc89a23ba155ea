/** The loss curve of a training: what the service tells of each epoch, and where it lies in a picture. */
export interface Epoch {
  index: number;
  loss: number;
  /** Error on labels that were set aside, as a share of the box diagonal; null where none were. */
  error: number | null;
  best: boolean;
}

export function epochsOf(rows: unknown): Epoch[] {
  if (!Array.isArray(rows)) return [];
  return rows
    .map((row: { index?: unknown; loss?: unknown; best?: unknown; validation?: { error?: unknown } | null }): Epoch => {
      const error = row.validation?.error;
      return {
        index: Number(row.index),
        loss: Number(row.loss ?? NaN),
        error: typeof error === 'number' ? error : null,
        best: row.best === true,
      };
    })
    .filter((one) => Number.isFinite(one.index) && Number.isFinite(one.loss))
    .sort((a, b) => a.index - b.index);
}

export interface Box {
  width: number;
  height: number;
}

/** Values as points of a box, from 0 below to their largest on top; the x axis is shared by all curves. */
export function placed(values: { index: number; value: number }[], last: number, box: Box): { x: number; y: number }[] {
  const top = Math.max(...values.map((one) => one.value), Number.MIN_VALUE);
  return values.map(({ index, value }) => ({ x: last > 0 ? (index / last) * box.width : 0, y: box.height * (1 - value / top) }));
}
