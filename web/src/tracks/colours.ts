/** Colours of a video's subjects that somebody chose, kept in this browser. */
import { choose, SUBJECTS } from '../theme/colours';

const place = (video: number): string => `posetween-colours-${video}`;

function kept(video: number): Map<number, string> {
  try {
    const read: unknown = JSON.parse(localStorage.getItem(place(video)) ?? '[]');
    if (!Array.isArray(read)) return new Map();
    return new Map(read.filter((row): row is [number, string] => Array.isArray(row) && SUBJECTS.includes(String(row[1]))));
  } catch {
    return new Map();
  }
}

export const useColours = (video: number): void => choose(kept(video));

export function chooseColour(video: number, track: number, colour: string): void {
  const colours = kept(video).set(track, colour);
  choose(colours);
  try {
    localStorage.setItem(place(video), JSON.stringify([...colours]));
  } catch {
    // Where nothing can be kept it holds until the page is left.
  }
}
