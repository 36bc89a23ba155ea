/** Left and right, as names of keypoints tell them. */

const BREAK = String.raw`[_\s.:/-]`;

/** How a name says left, and the word for right: first what is said most plainly. */
const SIDES: [RegExp, string][] = [
  // left_ear, ear.left, hindleft2: the word by itself.
  [new RegExp(`(?<=^|${BREAK})left(?=$|${BREAK}|\\d)`, 'i'), 'right'],
  [/^left/i, 'right'],
  [/left(?=\d*$)/i, 'right'],
  // earLeftTip: the word as a hump.
  [/(?<=[a-z0-9])Left(?=[A-Z_\d])/, 'Right'],
  // L_ear, ear-l, l2, leg_L2: the letter by itself.
  [new RegExp(`(?<=^|${BREAK})l(?=$|${BREAK}|\\d)`, 'i'), 'r'],
  // LF_paw, paw_LH1: the letter before front, fore, hind, middle or back.
  [new RegExp(`(?<=^|${BREAK})L(?=[FHMB](?:$|${BREAK}|\\d))`), 'R'],
  // LEar, lEar: the letter before a hump.
  [new RegExp(`(?<=^|${BREAK})[Ll](?=[A-Z][a-z])`), 'r'],
  // wingL, forelegL4, earL_tip, kneeLFront: the letter as a hump.
  [new RegExp(`(?<=[a-z])L(?=\\d*(?:$|${BREAK})|[A-Z][a-z])`), 'R'],
];

const cased = (like: string, word: string): string =>
  like === like.toUpperCase() ? word.toUpperCase() : like[0] === like[0]?.toUpperCase() ? (word[0] ?? '').toUpperCase() + word.slice(1) : word;

/** The name of the other side's keypoint; null where a name says no side or the right one. */
export function mirrored(name: string): string | null {
  for (const [pattern, other] of SIDES) {
    const found = pattern.exec(name);
    if (!found) continue;
    const word = found[0];
    return name.slice(0, found.index) + cased(word, other) + name.slice(found.index + word.length);
  }
  return null;
}

/** Pairs of keypoints that differ only in their side, the left one first. */
export function pairs(keypoints: readonly string[]): [number, number][] {
  return keypoints.flatMap((name, index): [number, number][] => {
    const other = mirrored(name);
    const at = other === null ? -1 : keypoints.indexOf(other);
    return at >= 0 && at !== index ? [[index, at]] : [];
  });
}

/** Keypoints that their names say are on the left. */
export const leftSide = (names: readonly string[]): Set<number> => new Set(names.flatMap((name, index) => (mirrored(name) === null ? [] : [index])));
