/** Every act that has a key, in one table: the page's keys, the overlay of '?' and buttons' hints come from here. */
export const ACTS = {
  next: ['ArrowRight', 'f'],
  previous: ['ArrowLeft', 'd'],
  forward: ['Shift+ArrowRight'],
  backward: ['Shift+ArrowLeft'],
  far_forward: ['Ctrl+ArrowRight'],
  far_backward: ['Ctrl+ArrowLeft'],
  first: ['Home'],
  last: ['End'],
  next_keyframe: [']', 'Alt+ArrowRight'],
  previous_keyframe: ['[', 'Alt+ArrowLeft'],
  middle: ['m'],
  go_to: ['g'],
  add_subject: ['n'],
  next_subject: ['`'],
  place: ['Enter'],
  next_keypoint: ['Tab'],
  previous_keypoint: ['Shift+Tab'],
  skip: ['s'],
  back: ['b', 'Backspace'],
  absent: ['x'],
  subject_absent: ['Shift+x'],
  hidden: ['v'],
  copy: ['c'],
  accept: ['a'],
  remove: ['Delete'],
  remove_pose: ['Shift+Delete'],
  undo: ['Ctrl+z'],
  redo: ['Ctrl+Shift+z', 'Ctrl+y'],
  propagate: ['Ctrl+Enter'],
  fit: ['0'],
  fit_subject: ['z'],
  zoom_in: ['+', '='],
  zoom_out: ['-'],
  hide: ['h'],
  ghost: ['o'],
  help: ['?'],
  escape: ['Escape'],
} as const satisfies Record<string, readonly string[]>;

export type Act = keyof typeof ACTS;

export const GROUPS: [string, Act[]][] = [
  ['go', ['next', 'previous', 'forward', 'backward', 'far_forward', 'far_backward', 'first', 'last', 'go_to']],
  ['keyframes', ['next_keyframe', 'previous_keyframe', 'middle']],
  ['label', ['place', 'skip', 'back', 'absent', 'subject_absent', 'hidden', 'copy', 'accept', 'remove', 'remove_pose']],
  ['choose', ['add_subject', 'next_subject', 'next_keypoint', 'previous_keypoint']],
  ['look', ['fit', 'fit_subject', 'zoom_in', 'zoom_out', 'hide', 'ghost']],
  ['other', ['undo', 'redo', 'propagate', 'help', 'escape']],
];

/** Acts that a held key repeats. */
const REPEATED = new Set<Act>(['next', 'previous', 'forward', 'backward', 'far_forward', 'far_backward', 'zoom_in', 'zoom_out', 'undo', 'redo']);

export const repeats = (act: Act): boolean => REPEATED.has(act);

interface Pressed {
  key: string;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
  shiftKey: boolean;
}

/** A key as the table writes it. Shift counts where it does not change the character itself. */
export function written({ key, ctrlKey, metaKey, altKey, shiftKey }: Pressed): string {
  const letter = key.length === 1 ? key.toLowerCase() : key;
  const shown = key.length === 1 && !/[a-z]/i.test(key) ? '' : shiftKey ? 'Shift+' : '';
  return `${ctrlKey || metaKey ? 'Ctrl+' : ''}${altKey ? 'Alt+' : ''}${shown}${letter}`;
}

const BY_KEY = new Map<string, Act>(
  Object.entries(ACTS).flatMap(([act, keys]) => keys.map((key): [string, Act] => [key, act as Act])),
);

export const actOf = (pressed: Pressed): Act | undefined => BY_KEY.get(written(pressed));

/** How a person reads a key. */
export function shown(key: string): string {
  const names: Record<string, string> = { ArrowRight: '→', ArrowLeft: '←', Escape: 'Esc', Delete: 'Del' };
  return key
    .split('+')
    .map((part) => names[part] ?? (part.length === 1 ? part.toUpperCase() : part))
    .join(' ')
    .trim() || '+';
}

/** Whether keys are letters now: somebody types. */
export function typing(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  return target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName);
}
