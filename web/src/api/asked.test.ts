import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { held } from '../tests/service';
import { Repeated } from './asked.svelte';

describe('what is read again and again', () => {
  let reads = 0;
  let next: number | null = 1000;
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    [reads, next] = [0, 1000];
  });
  afterEach(() => void vi.useRealTimers());

  it('is read until nothing is awaited, and anew when somebody asks', async () => {
    const repeated = new Repeated(async () => (reads++, next));
    await repeated.now();
    await vi.advanceTimersByTimeAsync(2500);
    expect(reads).toBe(3);
    next = null;
    await vi.advanceTimersByTimeAsync(9000);
    expect(reads).toBe(4);
    await repeated.now();
    expect(reads).toBe(5);
  });

  it('is read no more once its screen is left, also where that is in the midst of reading', async () => {
    const answer = held<number>();
    const repeated = new Repeated(() => (reads++, answer.promise));
    const reading = repeated.now();
    repeated.end();
    answer.give(1000);
    await reading;
    await vi.advanceTimersByTimeAsync(9000);
    expect(reads).toBe(1);
  });

  it('is awaited once, however often somebody asks meanwhile', async () => {
    const answers = [held<number>(), held<number>()];
    const repeated = new Repeated(() => answers[reads++]?.promise ?? Promise.resolve(null));
    const both = [repeated.now(), repeated.now()];
    for (const answer of answers) answer.give(1000);
    await Promise.all(both);
    await vi.advanceTimersByTimeAsync(1000);
    expect(reads).toBe(3);
    repeated.end();
  });

  it('is read no more at its end, also where it was asked for twice', async () => {
    const answers = [held<number>(), held<number>()];
    const repeated = new Repeated(() => answers[reads++]?.promise ?? Promise.resolve(null));
    const both = [repeated.now(), repeated.now()];
    for (const answer of answers) answer.give(1000);
    await Promise.all(both);
    repeated.end();
    await vi.advanceTimersByTimeAsync(9000);
    expect(reads).toBe(2);
  });
});
