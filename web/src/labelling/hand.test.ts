import { describe, expect, it } from 'vitest';
import { REACH, way } from './hand.svelte';

const pressed = (key: string, more = {}) => ({ key, ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, ...more });

describe('the hand of the keyboard', () => {
  it('goes a little by an arrow, more with Shift, far with Ctrl', () => {
    expect(way(pressed('ArrowLeft'))).toEqual({ x: -REACH.plain, y: 0 });
    expect(way(pressed('ArrowDown', { shiftKey: true }))).toEqual({ x: 0, y: REACH.shift });
    expect(way(pressed('ArrowUp', { ctrlKey: true }))).toEqual({ x: 0, y: -REACH.ctrl });
    expect(way(pressed('ArrowRight', { metaKey: true }))).toEqual({ x: REACH.ctrl, y: 0 });
  });
  it('leaves other keys, those between keyframes and those that pan, to others', () => {
    expect(way(pressed('d'))).toBeNull();
    expect(way(pressed('ArrowRight', { altKey: true }))).toBeNull();
    expect(way(pressed('ArrowRight', { ctrlKey: true, shiftKey: true }))).toBeNull();
  });
});
