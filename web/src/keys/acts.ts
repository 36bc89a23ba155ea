/** Every act that has a key, in one table, with the keys it has until somebody gives it others (see bindings). */
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
  range_start: ['{'],
  range_stop: ['}'],
  go_to: ['g'],
  add_subject: ['Shift+n'],
  next_subject: ['`'],
  place: ['Enter'],
  hand: ['q'],
  next_keypoint: ['Tab'],
  previous_keypoint: ['Shift+Tab'],
  skip: ['s'],
  back: ['b', 'Backspace'],
  absent: ['x'],
  subject_absent: ['Shift+x'],
  hidden: ['v'],
  copy: ['c'],
  adopt: ['y'],
  review: ['r'],
  review_zoom: ['Shift+r'],
  right: [' '],
  accept: ['a'],
  accept_span: ['Shift+a'],
  reject: ['e'],
  next_suggestion: ['n'],
  previous_suggestion: ['p'],
  snooze: ['Shift+s'],
  remove: ['Delete'],
  remove_pose: ['Shift+Delete'],
  undo: ['Ctrl+z'],
  redo: ['Ctrl+Shift+z', 'Ctrl+y'],
  propagate: ['Ctrl+Enter'],
  fit: ['0'],
  fit_subject: ['z'],
  zoom_in: ['+', '='],
  zoom_out: ['-'],
  pan_left: ['Ctrl+Shift+ArrowLeft'],
  pan_right: ['Ctrl+Shift+ArrowRight'],
  pan_up: ['Ctrl+Shift+ArrowUp'],
  pan_down: ['Ctrl+Shift+ArrowDown'],
  hide: ['h'],
  ghost: ['o'],
  compare: ['Shift+c'],
  loupe: ['l'],
  brighter: ['i'],
  darker: ['Shift+i'],
  more_contrast: ['k'],
  less_contrast: ['Shift+k'],
  plain: ['u'],
  quantity: ['j'],
  pass: ['w'],
  help: ['?'],
  palette: ['Ctrl+k'],
  escape: ['Escape'],
} as const satisfies Record<string, readonly string[]>;

export type Act = keyof typeof ACTS;

export const GROUPS: [string, Act[]][] = [
  ['go', ['next', 'previous', 'forward', 'backward', 'far_forward', 'far_backward', 'first', 'last', 'go_to']],
  ['keyframes', ['next_keyframe', 'previous_keyframe', 'middle', 'range_start', 'range_stop']],
  ['choose', ['add_subject', 'next_subject', 'next_keypoint', 'previous_keypoint']],
  ['label', ['place', 'hand', 'pass', 'skip', 'back', 'absent', 'subject_absent', 'hidden', 'copy', 'adopt', 'remove', 'remove_pose']],
  ['review', ['review', 'review_zoom', 'right', 'accept', 'accept_span', 'reject', 'next_suggestion', 'previous_suggestion', 'snooze']],
  ['other', ['undo', 'redo', 'propagate', 'palette', 'help', 'escape']],
  ['look', ['fit', 'fit_subject', 'zoom_in', 'zoom_out', 'pan_left', 'pan_right', 'pan_up', 'pan_down', 'hide', 'compare', 'ghost', 'loupe', 'brighter', 'darker', 'more_contrast', 'less_contrast', 'plain', 'quantity']],
];

/** Acts that a held key repeats. */
const REPEATED = new Set<Act>(['next', 'previous', 'forward', 'backward', 'far_forward', 'far_backward', 'zoom_in', 'zoom_out', 'pan_left', 'pan_right', 'pan_up', 'pan_down', 'brighter', 'darker', 'more_contrast', 'less_contrast', 'undo', 'redo']);

export const repeats = (act: Act): boolean => REPEATED.has(act);

export interface Pressed {
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

/** How a person reads a key. */
export function shown(key: string): string {
  const names: Record<string, string> = { ArrowRight: '→', ArrowLeft: '←', ArrowUp: '↑', ArrowDown: '↓', Escape: 'Esc', Delete: 'Del', ' ': 'Space' };
  return key
    .split('+')
    .map((part) => names[part] ?? (part.length === 1 ? part.toUpperCase() : part))
    .join(' ')
    .trim() || '+';
}

/** Whether this is pressed with Space or Enter, and left with Tab, but not typed into. */
export const presses = (target: EventTarget | null): boolean =>
  target instanceof HTMLButtonElement || (target instanceof HTMLInputElement && /^(checkbox|button|submit|reset|file)$/.test(target.type));

/** Whether keys are letters now: somebody types. */
export function typing(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement) || presses(target)) return false;
  return target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName);
}
