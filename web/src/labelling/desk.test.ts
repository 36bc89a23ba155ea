import { held, serve, settled } from '../tests/service';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Problem } from '../api/problem';
import type { Track } from '../api/types';
import { Desk } from './desk.svelte';

const skeleton = { name: 'two', keypoints: ['a', 'b'], edges: [], swap: [], retired: [] };

describe('a desk', () => {
  let tracks: { id: number; name: string }[];
  let away: boolean;
  let making: Promise<unknown>;
  let desk: Desk;
  let asked: string[];

  beforeEach(() => {
    tracks = [];
    away = false;
    making = Promise.resolve();
    asked = serve(async ({ what, body }) => {
      if (what === 'GET /videos/1/tracks' && !away) return { items: tracks as Track[], next_cursor: null };
      if (what === 'GET /videos/1/labels') return { revision: 0, start: 0, stop: 9, next_start: null, labels: [] };
      if (what === 'PUT /videos/1/labels') return { revision: 1, written: 1 };
      if (what === 'POST /videos/1/tracks') {
        await making;
        tracks = [...tracks, { id: tracks.length + 1, name: (body as Track).name }];
        return tracks.at(-1);
      }
      throw new Problem(away ? 503 : 404, away ? 'the service starts anew' : 'there is nothing');
    });
    desk = new Desk({ id: 1, num_frames: 9, width: 64, height: 48 } as never, { id: 1, skeleton } as never);
  });
  afterEach(() => desk.close());

  it('makes one subject where two clicks come before it is there', async () => {
    await desk.open();
    const made = held<null>();
    making = made.promise;
    const clicks = [desk.placeAt({ x: 1, y: 1 }, false), desk.placeAt({ x: 5, y: 5 }, true)];
    await settled();
    made.give(null);
    await Promise.all(clicks);
    expect([tracks.length, asked.filter((what) => what.startsWith('POST')).length]).toEqual([1, 1]);
    expect(desk.pose().points).toEqual([{ x: 1, y: 1, v: 2 }, { x: 5, y: 5, v: 1 }]);
    making = Promise.resolve();
    await desk.addTrack();
    expect(tracks).toHaveLength(2);
  });

  it('says why a video could not be opened, and opens it when that is tried again', async () => {
    tracks = [{ id: 1, name: 'fly' }];
    away = true;
    await desk.open();
    expect([desk.opening.fault, desk.labels.loaded, desk.track]).toEqual(['The service starts anew.', false, null]);
    away = false;
    await desk.open();
    expect([desk.opening.fault, desk.labels.loaded, desk.track]).toEqual([null, true, 1]);
  });

  it('begins no pass before it is known what people said', async () => {
    desk.track = 1;
    desk.startPass(0, 1);
    expect([desk.pass, desk.note]).toEqual([null, 'The labels are still being read.']);
    await desk.open();
    desk.track = 1;
    desk.startPass(0, 1);
    expect(desk.pass?.keypoint).toBe(0);
  });
});
