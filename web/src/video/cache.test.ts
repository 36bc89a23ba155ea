import { describe, expect, it } from 'vitest';
import { DEFAULTS, FrameCache, nearby } from './cache';

interface Asked {
  index: number;
  signal: AbortSignal;
  give(): Promise<void>;
  fail(): Promise<void>;
}

const settle = async () => {
  for (let turn = 0; turn < 8; turn++) await Promise.resolve();
};

function setup(options = DEFAULTS) {
  const asked: Asked[] = [];
  const closed: number[] = [];
  const arrived: number[] = [];
  const load = (index: number, signal: AbortSignal) =>
    new Promise<{ width: number; height: number; close(): void }>((resolve, reject) => {
      signal.addEventListener('abort', () => reject(new Error('aborted')));
      asked.push({
        index,
        signal,
        give: async () => {
          resolve({ width: 1, height: 1, close: () => closed.push(index) });
          await settle();
        },
        fail: async () => {
          reject(new Error('no'));
          await settle();
        },
      });
    });
  const cache = new FrameCache(load, 1000, (index) => arrived.push(index), undefined, options);
  const open = () => asked.filter((one) => !one.signal.aborted).map((one) => one.index);
  return { asked, closed, arrived, cache, open };
}

describe('frames nearby', () => {
  it('are eight ahead and two behind in the direction of travel', () => {
    expect(nearby(50, 49, 1000, DEFAULTS).sort((a, b) => a - b)).toEqual([48, 49, 51, 52, 53, 54, 55, 56, 57, 58]);
    expect(nearby(50, 51, 1000, DEFAULTS).filter((at) => at < 50)).toHaveLength(8);
  });
  it('are none after a jump, and none outside of the video', () => {
    expect(nearby(500, 10, 1000, DEFAULTS)).toEqual([]);
    expect(nearby(0, null, 3, DEFAULTS)).toEqual([1, 2]);
  });
});

describe('the cache', () => {
  it('fetches what is looked at before anything else', async () => {
    const { asked, cache, arrived } = setup();
    cache.want(10);
    expect(asked.map((one) => one.index)).toEqual([10]);
    await asked[0]?.give();
    expect(arrived).toEqual([10]);
    expect(asked.slice(1).map((one) => one.index)).toEqual([11, 9, 12]);
  });

  it('calls off what nobody looks at any more', async () => {
    const { asked, cache, open } = setup();
    cache.want(10);
    cache.want(400);
    await settle();
    expect(asked[0]?.signal.aborted).toBe(true);
    expect(open()).toEqual([400]);
  });

  it('never queues old frames, however fast somebody goes', async () => {
    const { cache, open } = setup();
    for (let index = 0; index < 500; index += 5) cache.want(index);
    await settle();
    expect(open()).toEqual([495]);
  });

  it('asks again for a frame that was called off and is looked at once more', async () => {
    const { asked, cache, arrived } = setup();
    cache.want(10);
    cache.want(400);
    cache.want(10);
    await settle();
    await asked.filter((one) => one.index === 10 && !one.signal.aborted)[0]?.give();
    expect(arrived).toEqual([10]);
  });

  it('calls off everything where nobody waits for anything, until a frame is wanted anew', async () => {
    const { asked, cache, arrived, open } = setup();
    cache.want(10);
    cache.rest();
    await settle();
    expect(open()).toEqual([]);
    cache.want(10);
    await settle();
    expect(open()).toEqual([10]);
    await asked.at(-1)?.give();
    expect(arrived).toEqual([10]);
  });

  it('keeps a bounded number and closes what it drops', async () => {
    const { asked, cache, closed } = setup({ ...DEFAULTS, capacity: 3, ahead: 0, behind: 0 });
    for (const index of [1, 2, 3, 4]) {
      cache.want(index);
      await asked.at(-1)?.give();
    }
    expect(cache.size).toBe(3);
    expect(closed).toEqual([1]);
    cache.close();
    expect(closed.sort()).toEqual([1, 2, 3, 4]);
  });

  it('does not ask for a frame that failed again and again', async () => {
    const { asked, cache } = setup();
    cache.want(10);
    await asked[0]?.fail();
    expect(asked).toHaveLength(1);
  });
});
