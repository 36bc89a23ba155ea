/** What the palette finds. */
import { ACTS, type Act } from './acts';
import type { Bindings } from './bindings.svelte';

export interface Command {
  title: string;
  keys?: readonly string[];
  run: () => void;
}

/** Commands that have all typed words in their title, in any order; those that begin with what was typed come first. */
export function found(commands: readonly Command[], text: string): Command[] {
  const typed = text.trim().toLocaleLowerCase();
  const words = typed.split(/\s+/).filter(Boolean);
  const hits = commands.filter(({ title }) => {
    const name = title.toLocaleLowerCase();
    return words.every((word) => name.includes(word));
  });
  const first = (command: Command) => Number(!command.title.toLocaleLowerCase().startsWith(typed));
  return hits.sort((a, b) => first(a) - first(b));
}

/** Every act of the table as a command. */
export const actCommands = (bindings: Bindings, titles: Record<Act, string>, run: (act: Act) => void): Command[] =>
  (Object.keys(ACTS) as Act[])
    .filter((act) => act !== 'palette' && act !== 'escape')
    .map((act) => ({ title: titles[act], keys: bindings.keys(act), run: () => run(act) }));
