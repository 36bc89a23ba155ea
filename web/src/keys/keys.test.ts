import { describe, expect, it, vi } from 'vitest';
import { ACTS, actOf, GROUPS, shown, written } from './acts';
import { pause, Repeat } from './repeat';

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
    expect(actOf(pressed('q'))).toBeUndefined();
    expect([shown('Shift+ArrowRight'), shown('Ctrl+z'), shown('+')]).toEqual(['Shift →', 'Ctrl Z', '+']);
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
