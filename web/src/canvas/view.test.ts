import { describe, expect, it } from 'vitest';
import { hit, moved } from './hits';
import { around, fit, fitPoints, grown, pan, PANS, pinch, toFrame, toScreen, zoom, type Spot } from './view';

const view = { scale: 2, left: 10, top: 20 };

describe('a look around a spot', () => {
  it('has the spot in the middle and so much of the frame around it', () => {
    const screen = { width: 800, height: 400 };
    const view = around({ x: 30, y: 20 }, 100, screen);
    expect(toScreen(view, { x: 30, y: 20 })).toEqual({ x: 400, y: 200 });
    expect(view.scale).toBe(4);
    expect(around({ x: 0, y: 0 }, 0, screen).scale).toBe(64);
  });
});

describe('the view', () => {
  it('goes there and back, with pixel centres at integers', () => {
    expect(toScreen(view, { x: 0, y: 0 })).toEqual({ x: 11, y: 21 });
    expect(toFrame(view, toScreen(view, { x: 3.25, y: 7 }))).toEqual({ x: 3.25, y: 7 });
  });
  it('shows all of a portrait and of a landscape frame', () => {
    for (const frame of [{ width: 100, height: 400 }, { width: 400, height: 100 }]) {
      const { scale, left, top } = fit(frame, { width: 800, height: 600 });
      expect(Math.min(left, top)).toBe(0);
      expect(frame.width * scale).toBeLessThanOrEqual(800);
      expect(frame.height * scale).toBeLessThanOrEqual(600);
    }
  });
  it('keeps what is under the pointer there while zooming', () => {
    const at = { x: 123, y: 45 };
    const before = toFrame(view, at);
    const after = toFrame(zoom(view, 1.7, at, 0.1), at);
    expect(after.x).toBeCloseTo(before.x);
    expect(after.y).toBeCloseTo(before.y);
  });
  it('fits to points, and to nothing where there are none', () => {
    expect(fitPoints([], { width: 10, height: 10 })).toBeNull();
    const near = fitPoints([{ x: 10, y: 10 }, { x: 30, y: 30 }], { width: 500, height: 400 });
    const middle = near && toFrame(near, { x: 250, y: 200 });
    expect(middle?.x).toBeCloseTo(20);
    expect(middle?.y).toBeCloseTo(20);
  });
});

describe('a hit', () => {
  const targets = [{ track: 1, points: [{ x: 10, y: 10 }, null] }, { track: 2, points: [{ x: 14, y: 10 }] }];
  it('is the nearest point, in pixels of the screen', () => {
    const at = toScreen(view, { x: 13.5, y: 10 });
    expect(hit(view, at, targets, null)).toEqual({ track: 2, keypoint: 0 });
    expect(hit({ ...view, scale: 0.5 }, toScreen({ ...view, scale: 0.5 }, { x: 0, y: 0 }), targets, null)?.track).toBe(1);
    expect(hit({ ...view, scale: 20 }, toScreen({ ...view, scale: 20 }, { x: 11, y: 11 }), targets, null)).toBeNull();
  });
  it('goes to the selected subject where two are as near', () => {
    const at = toScreen(view, { x: 12, y: 10 });
    expect(hit(view, at, targets, 2)?.track).toBe(2);
    expect(hit(view, at, targets, 1)?.track).toBe(1);
  });
  it('moves nothing before a few pixels', () => {
    expect(moved({ x: 0, y: 0 }, { x: 2, y: 2 })).toBe(false);
    expect(moved({ x: 0, y: 0 }, { x: 3, y: 2 })).toBe(true);
  });
  it('draws larger on a large screen, and nowhere smaller', () => {
    expect([grown({ width: 900, height: 600 }), grown({ width: 1900, height: 1300 }), grown({ width: 3500, height: 2000 })]).toEqual([1, 1.3, 1.8]);
  });
  it('looks a share of the screen further by keys', () => {
    const view = { scale: 2, left: 10, top: 20 };
    expect(pan(view, PANS.pan_right, { width: 500, height: 300 })).toEqual({ scale: 2, left: -40, top: 20 });
    expect(pan(view, PANS.pan_up, { width: 500, height: 300 })).toEqual({ scale: 2, left: 10, top: 50 });
  });
  it('follows two fingers: what is between them stays between them', () => {
    const view = { scale: 1, left: 0, top: 0 };
    const from: [Spot, Spot] = [{ x: 100, y: 100 }, { x: 200, y: 100 }];
    const to: [Spot, Spot] = [{ x: 100, y: 150 }, { x: 300, y: 150 }];
    const now = pinch(view, from, to, 0.1);
    expect(now.scale).toBe(2);
    expect([now.left, now.top]).toEqual([200 - 2 * 150, 150 - 2 * 100]);
  });
});
