import { held, serve, settled } from '../tests/service';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Problem } from '../api/problem';
import type { LabelIn } from '../api/types';
import { LabelStore } from './store.svelte';
import type { Said } from './pose';

const at = (x: number): Said => ({ x, y: x, v: 2 });
const pose = (...points: Said[]) => ({ absent: false, points });

type Triple = [number, number, number];

/** A service that keeps the labels of one subject as a real one does: by revisions, and with If-Match. */
class Kept {
  revision = 0;
  readonly labels = new Map<number, { keypoints: Triple[]; revision: number }>();
  /** What happens to an answer on its way: it may be lost. */
  lost: (what: string) => boolean = () => false;
  reading: () => Promise<unknown> = async () => undefined;

  constructor(private readonly size: number) {}

  write(frame: number, keypoints: Triple[]): void {
    this.revision++;
    if (keypoints.some(([, , v]) => v > 0)) this.labels.set(frame, { keypoints, revision: this.revision });
    else this.labels.delete(frame);
  }

  at(frame: number): Triple[] {
    return this.labels.get(frame)?.keypoints ?? Array.from({ length: this.size }, (): Triple => [0, 0, 0]);
  }

  serve(): string[] {
    return serve(async ({ what, query, headers, body }) => {
      const known = Number((headers.get('if-match') ?? '').replaceAll('"', ''));
      if (what === 'GET /videos/1/labels') {
        const [revision, labels] = [this.revision, [...this.labels].map(([frame_index, label]) => ({ frame_index, track_id: 1, source: 'human', ...label }))];
        await this.reading();
        return { revision, start: 0, stop: 9, next_start: null, labels };
      }
      const put = (body as { labels: LabelIn[] } | undefined)?.labels ?? [];
      if (known !== this.revision) {
        const conflicts = put.flatMap(({ frame_index, track_id, keypoints }) => {
          const theirs = this.labels.get(frame_index);
          return theirs && theirs.revision > known ? [{ frame_index, track_id, yours: keypoints ?? [], theirs: theirs.keypoints, revision: theirs.revision }] : [];
        });
        throw new Problem(412, 'somebody was faster', this.revision, conflicts);
      }
      if (what.startsWith('DELETE')) {
        const [frame, gone] = [Number(query.get('frame_index')), query.getAll('keypoint').map(Number)];
        this.write(frame, this.at(frame).map((one, index): Triple => (!gone.length || gone.includes(index) ? [0, 0, 0] : one)));
      }
      for (const { frame_index, keypoints } of put)
        this.write(frame_index, this.at(frame_index).map((one, index): Triple => (keypoints?.[index]?.[2] ? keypoints[index] : one)));
      if (this.lost(what)) throw new TypeError('the answer was lost');
      return { revision: this.revision, written: 1 };
    });
  }
}

const stores: LabelStore[] = [];
async function opened(kept: Kept, size: number) {
  kept.serve();
  const store = new LabelStore(1, 9, size, new Set());
  stores.push(store);
  await store.load();
  return store;
}
afterEach(() => {
  vi.useRealTimers();
  for (const store of stores.splice(0)) store.queue.end();
});

describe('the labels of a video', () => {
  it('keep an edit that is saved while they are read anew', async () => {
    const kept = new Kept(2);
    const store = await opened(kept, 2);
    const slow = held<null>();
    kept.reading = () => slow.promise;
    const reading = store.load();
    await settled();
    store.say(3, 1, pose(at(5), null));
    await store.queue.drain();
    kept.reading = async () => undefined;
    slow.give(null);
    await reading;
    expect([kept.at(3)[0], store.pose(3, 1)?.points[0]]).toEqual([[5, 5, 2], at(5)]);
  });

  it('keep what others said since of other keypoints when something is undone', async () => {
    const kept = new Kept(2);
    kept.write(3, [[1, 1, 2], [2, 2, 2]]);
    const store = await opened(kept, 2);
    store.say(3, 1, pose(at(5), at(2)));
    await store.queue.drain();
    kept.write(3, [[5, 5, 2], [7, 7, 2]]);
    await store.load();
    store.undo(3);
    expect(store.pose(3, 1)?.points).toEqual([at(1), at(7)]);
    await store.queue.drain();
    expect(kept.at(3)).toEqual([[1, 1, 2], [7, 7, 2]]);
  });

  it.each(['DELETE', 'PUT'])('are in no conflict with themselves where the answer to a %s was lost', async (which) => {
    const kept = new Kept(3);
    kept.write(3, [[1, 1, 2], [2, 2, 2], [3, 3, 2]]);
    const store = await opened(kept, 3);
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    let once = true;
    kept.lost = (what) => what.startsWith(which) && once && !(once = false);
    store.say(3, 1, pose(null, at(8), at(3)));
    await store.queue.flush();
    expect(store.queue.state).toBe('offline');
    await vi.advanceTimersByTimeAsync(3000);
    for (let turn = 0; turn < 5; turn++) await vi.advanceTimersByTimeAsync(100).then(settled);
    expect([store.queue.state, store.queue.pending, kept.at(3)]).toEqual(['saved', 0, [[0, 0, 0], [8, 8, 2], [3, 3, 2]]]);
  });

  it('are in conflict where somebody else said something else of what was taken back', async () => {
    const kept = new Kept(2);
    kept.write(3, [[1, 1, 2], [2, 2, 2]]);
    const store = await opened(kept, 2);
    kept.write(3, [[4, 4, 2], [2, 2, 2]]);
    store.say(3, 1, pose(null, at(2)));
    await store.queue.flush();
    expect([store.queue.state, store.queue.conflicts.length, kept.at(3)[0]]).toEqual(['conflict', 1, [4, 4, 2]]);
  });

  it('that were given up and said anew are in no conflict with themselves either', async () => {
    const kept = new Kept(2);
    kept.write(3, [[1, 1, 2], [2, 2, 2]]);
    const store = await opened(kept, 2);
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    store.say(3, 1, pose(null, null));
    store.say(3, 1, pose(null, at(6)));
    let once = true;
    kept.lost = (what) => what.startsWith('PUT') && once && !(once = false);
    await store.queue.flush();
    await vi.advanceTimersByTimeAsync(3000);
    for (let turn = 0; turn < 5; turn++) await vi.advanceTimersByTimeAsync(100).then(settled);
    expect([store.queue.state, store.queue.pending, kept.at(3)]).toEqual(['saved', 0, [[0, 0, 0], [6, 6, 2]]]);
  });
});
