import { describe, expect, it } from 'vitest';
import { fitting, place, stepped } from './sizes';

const window = (innerWidth: number, innerHeight: number, devicePixelRatio = 1) => ({ innerWidth, innerHeight, devicePixelRatio });

describe('the size of pictures', () => {
  it('goes up in the steps of the service', () => {
    expect([1, 17, 65, 129, 200, 1000, 1024, 1025, 1920].map(stepped)).toEqual([16, 32, 80, 160, 224, 1024, 1024, 1280, 2048]);
  });
  it('is what a window can show, never less', () => {
    const laptop = place(window(1280, 800));
    const width = fitting({ width: 3840, height: 2160 }, laptop);
    expect(width).toBe(1024);
    expect(width).toBeGreaterThanOrEqual(Math.min(laptop.width, (laptop.height * 16) / 9));
  });
  it('is that of the video where a smaller one would spare little', () => {
    expect(fitting({ width: 1280, height: 720 }, place(window(1280, 800)))).toBeNull();
    expect(fitting({ width: 3840, height: 2160 }, place(window(3840, 2160)))).toBeNull();
    expect(fitting({ width: 320, height: 240 }, place(window(1280, 800)))).toBeNull();
  });
  it('counts the pixels of the screen, and the narrower side of the place', () => {
    expect(fitting({ width: 3840, height: 2160 }, place(window(1280, 800, 2)))).toBe(2048);
    expect(fitting({ width: 2160, height: 3840 }, place(window(1280, 800)))).toBe(384);
  });
});
