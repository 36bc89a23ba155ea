import { serve, settled } from '../tests/service';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Following } from '../jobs/following.svelte';
import { follow } from './events';
import { Problem } from './problem';
import type { Job } from './types';

/** A stream of events that tests open, fill and break off. */
class Stream extends EventTarget {
  static readonly CLOSED = 2;
  static all: Stream[] = [];
  readyState = 1;

  constructor(readonly address: string) {
    super();
    Stream.all.push(this);
  }
  close(): void {
    this.readyState = Stream.CLOSED;
  }
  tell(job: Partial<Job>): void {
    if (this.readyState !== Stream.CLOSED) this.dispatchEvent(new MessageEvent('job', { data: JSON.stringify(job) }));
  }
  breakOff(): void {
    this.close();
    this.dispatchEvent(new Event('error'));
  }
}
const last = () => Stream.all.at(-1) as Stream;
const job = (id: number, state: Job['state']) => ({ id, state, progress: 0 }) as Job;
/** Timers that are due, and answers. */
async function pass(ms: number): Promise<void> {
  for (let at = 0; at < ms; at += 500) {
    await vi.advanceTimersByTimeAsync(500);
    await settled();
  }
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  vi.stubGlobal('EventSource', Stream);
  Stream.all = [];
});
afterEach(() => void vi.useRealTimers());

describe('a job that is followed', () => {
  it('is asked about where events break off, until it has ended', async () => {
    let state: Job['state'] = 'running';
    const asked = serve(() => job(7, state));
    const told: string[] = [];
    follow(7, (now) => told.push(now.state));
    last().breakOff();
    await pass(6500);
    expect(asked).toEqual(Array(3).fill('GET /jobs/7'));
    state = 'succeeded';
    await pass(10_000);
    expect([asked.length, told]).toEqual([4, ['running', 'running', 'running', 'succeeded']]);
  });

  it('is asked about no more once nobody follows it', async () => {
    const asked = serve(() => job(7, 'running'));
    let told = 0;
    const stop = follow(7, () => told++);
    last().breakOff();
    await pass(2500);
    stop();
    await pass(10_000);
    expect([asked.length, told]).toEqual([1, 1]);
  });

  it('tells nothing of an answer that comes once nobody follows it', async () => {
    let told = 0;
    let stop: () => void = () => undefined;
    const asked = serve(() => {
      stop();
      return job(7, 'running');
    });
    stop = follow(7, () => told++);
    last().breakOff();
    await pass(10_000);
    expect([asked.length, told]).toEqual([1, 0]);
  });
});

describe('a job that somebody waits for', () => {
  it('is the only one: the stream of the one before is closed', () => {
    const following = new Following(() => undefined, () => undefined);
    following.follow(job(1, 'running'));
    const first = last();
    following.follow(job(2, 'running'));
    first.tell(job(1, 'succeeded'));
    expect([first.readyState, following.job?.id]).toEqual([Stream.CLOSED, 2]);
    following.close();
    expect(last().readyState).toBe(Stream.CLOSED);
  });

  it('says why it could not be cancelled', async () => {
    serve(() => {
      throw new Problem(409, 'the job has ended');
    });
    const following = new Following(() => undefined, () => undefined);
    following.follow(job(1, 'running'));
    await following.cancel();
    expect(following.fault).toBe('The job has ended.');
    following.close();
  });
});
