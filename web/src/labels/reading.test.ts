import { describe, expect, it, vi } from 'vitest';

const asked: URLSearchParams[] = vi.hoisted(() => {
  const queries: URLSearchParams[] = [];
  const Given = globalThis.Request;
  // Outside of a browser no address is relative to a page's.
  globalThis.Request = class extends Given {
    constructor(input: RequestInfo | URL, init?: RequestInit) {
      super(new URL(input as string, 'http://page'), init);
    }
  };
  // A service that answers at most four frames at a time; somebody writes between any two requests.
  globalThis.fetch = (input) => {
    const query = new URL((input as Request).url).searchParams;
    queries.push(query);
    const [start, wanted] = [Number(query.get('start')), Number(query.get('stop'))];
    const stop = Math.min(wanted, start + 4);
    const revision = Number(query.get('revision') ?? 6 + queries.length);
    const labels = Array.from({ length: stop - start }, (_, index) => ({ frame_index: start + index, revision }));
    return Promise.resolve(Response.json({ revision, start, stop, next_start: stop < wanted ? stop : null, labels }));
  };
  return queries;
});

import { labels } from './reading';

describe('reading labels', () => {
  it('goes on where a window was cut short, as of the revision that it began with', async () => {
    asked.length = 0;
    const read = await labels(1, 'human', 0, 10);
    expect(read.labels.map((label) => label.frame_index)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(read.revision).toBe(7);
    expect(asked.map((query) => query.get('start'))).toEqual(['0', '4', '8']);
    expect(asked.map((query) => query.get('revision'))).toEqual([null, '7', '7']);
    expect(new Set(read.labels.map((label) => label.revision))).toEqual(new Set([7]));
  });

  it('asks once where nothing is missing', async () => {
    asked.length = 0;
    expect((await labels(1, 'human', 2, 6)).labels).toHaveLength(4);
    expect(asked).toHaveLength(1);
  });
});
