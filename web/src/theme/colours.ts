/** All colours that are drawn; those of the page's surfaces are in theme.css. */

/** Subjects: Okabe and Ito's palette, which people with any colour vision can tell apart, without its black. */
export const SUBJECTS = ['#56b4e9', '#e69f00', '#2bd4a0', '#f0e442', '#e58fc0', '#ff7a45', '#7d9bff', '#c8c8c8'];

/** Colours that somebody chose in place of the one that follows from a subject's number. */
let chosen: ReadonlyMap<number, string> = new Map();

export function choose(colours: ReadonlyMap<number, string>): void {
  chosen = colours;
}

export const subject = (track: number): string => chosen.get(track) ?? SUBJECTS[(track - 1) % SUBJECTS.length] ?? '#ffffff';

/** Drawn around everything on a frame, so that it is legible on bright and on dark video. */
export const OUTLINE = 'rgb(0 0 0 / 0.72)';
export const HALO = '#ffffff';
/** Around points that a machine is not sure of, where somebody goes through these; legible beside any subject's colour. */
export const SUSPECT = '#ff5d52';
/** The other of two runs that are compared: no subject's colour. */
export const COMPARED = '#ff5cf4';
export const BACKDROP = '#0b0e11';

/** How sure a machine is, from not at all to entirely: dark red over amber to blue-green, by lightness too. */
const RAMP: [number, number, number][] = [
  [178, 44, 40],
  [228, 121, 44],
  [240, 190, 75],
  [128, 188, 150],
  [52, 140, 140],
];

export function confidence(score: number): string {
  const place = Math.min(1, Math.max(0, score)) * (RAMP.length - 1);
  const low = Math.min(RAMP.length - 2, Math.floor(place));
  const [a, b] = [RAMP[low] ?? [0, 0, 0], RAMP[low + 1] ?? [0, 0, 0]];
  return `rgb(${a.map((value, i) => Math.round(value + ((b[i] ?? 0) - value) * (place - low))).join(' ')})`;
}

/** What the timeline is drawn with, as the theme has it. */
export interface TimelineColours {
  ground: string;
  lane: string;
  text: string;
  line: string;
  damaged: string;
  accepted: string;
  playhead: string;
  curve: string;
  range: string;
}

export function timelineColours(element: Element): TimelineColours {
  const style = getComputedStyle(element);
  const read = (name: string) => style.getPropertyValue(name).trim();
  return {
    ground: read('--panel'),
    lane: read('--well'),
    text: read('--dim'),
    line: read('--line'),
    damaged: read('--bad'),
    accepted: read('--good'),
    playhead: read('--text'),
    curve: read('--accent'),
    range: read('--focus'),
  };
}
