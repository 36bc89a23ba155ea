import { describe, expect, it } from 'vitest';
import { Away, minutesLeft, pace, SNOOZE_MS } from './waiting';

const places = [1, 2, 3].map((frame_index) => ({ video_id: 1, frame_index, track_id: 1 }));

describe('the queue', () => {
  it('does not show again what was passed over', () => {
    const away = new Away();
    away.skip({ video_id: 1, frame_index: 2, track_id: 1 });
    away.skip({ video_id: 1, frame_index: 1, track_id: 2 });
    away.skip({ video_id: 2, frame_index: 3, track_id: 1 });
    expect(away.left(places).map((one) => one.frame_index)).toEqual([1, 3]);
  });
  it('does not show again what was judged, until that is taken back', () => {
    const away = new Away();
    const place = { video_id: 1, frame_index: 1, track_id: 1 };
    away.judge(place);
    expect(away.left(places)).toHaveLength(2);
    away.judge(place, false);
    expect(away.left(places)).toHaveLength(3);
  });
  it('shows what was put off when its time has come', () => {
    let now = 1000;
    const away = new Away(() => now);
    away.snooze({ video_id: 1, frame_index: 3, track_id: 1 });
    expect([away.left(places).length, away.size]).toEqual([2, 1]);
    now += SNOOZE_MS;
    expect([away.left(places).length, away.size]).toEqual([3, 0]);
  });
  it('tells the time that is left by the pace so far', () => {
    expect(minutesLeft(2, 60_000, 100)).toBeNull();
    expect(minutesLeft(10, 60_000, 100)).toBe(10);
    expect([pace(2, 60_000), pace(10, 30_000)]).toEqual([null, 20]);
  });
});
