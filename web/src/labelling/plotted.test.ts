import { held, serve, settled } from '../tests/service';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Curve } from '../api/types';
import { Plotted } from './plotted.svelte';

const setup = () => {
  const desk = { video: { id: 1 }, track: 1, keypoint: 0 as number | null, tracks: [{ id: 1 }], tracksChange: false, player: { count: 100 }, comparison: { pair: null } };
  return { desk, plotted: new Plotted(desk as never) };
};
const curveOf = (keypoint: unknown) => ({ start: 0, stop: 100, buckets: 1, low: [Number(keypoint)], high: [Number(keypoint)] }) as Curve;
/** Timers that are due, and answers. */
const later = async () => {
  await vi.advanceTimersByTimeAsync(200);
  await settled();
};

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
afterEach(() => void vi.useRealTimers());

it('the curve is there again where somebody comes back to a keypoint at once', async () => {
  serve(({ query }) => curveOf(query.get('keypoint')));
  const { desk, plotted } = setup();
  plotted.want('1');
  await later();
  expect(plotted.curve?.low).toEqual([0]);
  desk.keypoint = 1;
  plotted.want('1');
  await vi.advanceTimersByTimeAsync(50);
  expect(plotted.curve).toBeNull();
  desk.keypoint = 0;
  plotted.want('1');
  await later();
  expect(plotted.curve?.low).toEqual([0]);
});

it('a curve of another keypoint that comes late is not shown', async () => {
  const slow = held<Curve>();
  serve(() => slow.promise);
  const { desk, plotted } = setup();
  plotted.want('1');
  await later();
  desk.keypoint = 1;
  plotted.want('1');
  slow.give(curveOf(0));
  await settled();
  expect(plotted.curve).toBeNull();
});
