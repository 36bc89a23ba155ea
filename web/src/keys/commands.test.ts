import { describe, expect, it } from 'vitest';
import { en } from '../strings/en';
import { ACTS } from './acts';
import { Bindings } from './bindings.svelte';
import { actCommands, found } from './commands';

const commands = actCommands(new Bindings(), en.act, () => undefined);

describe('the palette', () => {
  it('has every act but itself and the way out', () => {
    expect(commands).toHaveLength(Object.keys(ACTS).length - 2);
    expect(new Set(commands.map((one) => one.title)).size).toBe(commands.length);
  });
  it('finds by words in any order, those that begin with them first', () => {
    expect(found(commands, 'KEYFRAME next')[0]?.title).toBe('Next keyframe');
    expect(found(commands, 'zoom')[0]?.title.startsWith('Zoom')).toBe(true);
    expect(found(commands, 'no such act')).toEqual([]);
    expect(found(commands, '  ')).toHaveLength(commands.length);
  });
});
