/** Which keys do which act: the table, with what this person changed, kept in this browser. */
import { ACTS, shown, written, type Act, type Pressed } from './acts';

const KEPT = 'posetween-keys';
/** Keys that are not to be had: figures choose subjects, and these leave what is open or run the browser. */
const RESERVED = /^([1-9]|Escape|F\d+|Ctrl\+[tnwr]|Unidentified|Dead|Process)$/;

type Changed = Partial<Record<Act, string[]>>;

function remembered(): Changed {
  try {
    const read: unknown = JSON.parse(localStorage.getItem(KEPT) ?? '{}');
    if (typeof read !== 'object' || read === null) return {};
    const rows = Object.entries(read).filter(
      ([act, keys]) => act in ACTS && Array.isArray(keys) && keys.every((key) => typeof key === 'string' && !RESERVED.test(key)),
    );
    return Object.fromEntries(rows) as Changed;
  } catch {
    return {};
  }
}

export class Bindings {
  private changed = $state.raw<Changed>({});

  constructor(changed: Changed = {}) {
    this.changed = changed;
  }

  keys(act: Act): readonly string[] {
    return this.changed[act] ?? ACTS[act];
  }

  act(pressed: Pressed): Act | undefined {
    const key = written(pressed);
    return this.all().find((act) => this.keys(act).includes(key));
  }

  get anyChanged(): boolean {
    return Object.keys(this.changed).length > 0;
  }

  isChanged(act: Act): boolean {
    return act in this.changed;
  }

  reserved(key: string): boolean {
    return RESERVED.test(key);
  }

  /** The other act that has a key, if one has. */
  taken(key: string, act: Act): Act | null {
    return this.all().find((other) => other !== act && this.keys(other).includes(key)) ?? null;
  }

  /** Give an act a key in place of those it had; who had the key before has it no more. */
  bind(act: Act, key: string): void {
    if (this.reserved(key)) return;
    const other = this.taken(key, act);
    const left = other ? { [other]: this.keys(other).filter((one) => one !== key) } : {};
    this.keep({ ...this.changed, ...left, [act]: [key] });
  }

  /** All keys as the table has them. */
  reset(): void {
    this.keep({});
  }

  private all(): Act[] {
    return Object.keys(ACTS) as Act[];
  }

  private keep(changed: Changed): void {
    this.changed = changed;
    try {
      localStorage.setItem(KEPT, JSON.stringify(changed));
    } catch {
      // Where nothing can be kept it holds until the page is left.
    }
  }
}

export const bindings = new Bindings(remembered());

/** The first key of each of some acts as a person reads it, as they are bound now. */
export const keysOf = (...acts: Act[]): string => acts.flatMap((act) => bindings.keys(act).slice(0, 1)).map(shown).join(', ');

/** A title that names the keys of what it is the title of, where that has any. */
export function titled(text: string, ...acts: Act[]): string {
  const keys = keysOf(...acts);
  return keys ? `${text} (${keys})` : text;
}
