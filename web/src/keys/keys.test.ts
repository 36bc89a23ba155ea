import { describe, expect, it, vi } from 'vitest';
import { ACTS, GROUPS, shown, written } from './acts';
import { bindings, Bindings, keysOf, titled } from './bindings.svelte';
import { pause, Repeat } from './repeat';

const actOf = (key: ReturnType<typeof pressed>) => new Bindings().act(key);
const pressed = (key: string, more = {}) => ({ key, ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, ...more });

describe('keys', () => {
  it('mean one thing each', () => {
    const all = Object.values(ACTS).flat();
    expect(new Set(all).size).toBe(all.length);
  });
  it('are all shown in the overlay', () => {
    expect(new Set(GROUPS.flatMap(([, acts]) => acts))).toEqual(new Set(Object.keys(ACTS)));
  });
  it('are read with what is held beside them', () => {
    expect(actOf(pressed('ArrowRight', { shiftKey: true }))).toBe('forward');
    expect(actOf(pressed('Z', { metaKey: true, shiftKey: true }))).toBe('redo');
    expect(actOf(pressed('?', { shiftKey: true }))).toBe('help');
    expect(actOf(pressed('+', { shiftKey: true }))).toBe('zoom_in');
    expect(written(pressed('X', { shiftKey: true }))).toBe('Shift+x');
    expect(actOf(pressed('t'))).toBeUndefined();
    expect([shown('Shift+ArrowRight'), shown('ArrowUp'), shown('Ctrl+z'), shown('+')]).toEqual(['Shift →', '↑', 'Ctrl Z', '+']);
  });
  it('can be given to other acts, and are never kept by two', () => {
    const bindings = new Bindings();
    expect(bindings.taken('m', 'skip')).toBe('middle');
    bindings.bind('skip', 'm');
    expect(bindings.act(pressed('m'))).toBe('skip');
    expect(bindings.act(pressed('s'))).toBeUndefined();
    expect(bindings.keys('middle')).toEqual([]);
    bindings.bind('next', 'e');
    expect([bindings.keys('next'), bindings.act(pressed('f'))]).toEqual([['e'], undefined]);
    bindings.reset();
    expect([bindings.act(pressed('s')), bindings.act(pressed('m')), bindings.anyChanged]).toEqual(['skip', 'middle', false]);
  });
  it('are named in titles as they are bound now', () => {
    expect([keysOf('add_subject'), keysOf('right'), keysOf('redo')]).toEqual(['Shift N', 'Space', 'Ctrl Shift Z']);
    expect(titled('Picture', 'brighter', 'more_contrast', 'plain')).toBe('Picture (I, K, U)');
    bindings.bind('next', 'r');
    expect([keysOf('next'), keysOf('review'), titled('Review', 'review')]).toEqual(['R', '', 'Review']);
    bindings.reset();
    expect(titled('Review', 'review')).toBe('Review (R)');
  });
  it('that choose subjects or leave what is open are not to be had', () => {
    const bindings = new Bindings();
    for (const key of ['1', 'Escape', 'Ctrl+w']) bindings.bind('skip', key);
    expect(bindings.keys('skip')).toEqual(['s']);
  });
  it('wait when they are held, then quicken', () => {
    expect(pause(0)).toBe(400);
    expect(pause(1)).toBe(120);
    expect(pause(30)).toBe(40);
  });
  it('that are held go on until they are let go', () => {
    vi.useFakeTimers();
    const repeat = new Repeat();
    let steps = 0;
    repeat.press('f', () => {
      steps++;
      return true;
    });
    vi.advanceTimersByTime(399);
    expect(steps).toBe(1);
    vi.advanceTimersByTime(3000);
    expect(steps).toBeGreaterThan(50);
    repeat.release('f');
    const before = steps;
    vi.advanceTimersByTime(1000);
    expect(steps).toBe(before);
  });
});
