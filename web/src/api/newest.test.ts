import { describe, expect, it } from 'vitest';
import { Newest } from './newest';

function setup() {
  const asked: number[] = [];
  const came: string[] = [];
  const waiting: { resolve: (value: string) => void; reject: (error: Error) => void }[] = [];
  const newest = new Newest<number, string>(
    (wanted) => {
      asked.push(wanted);
      return new Promise((resolve, reject) => waiting.push({ resolve, reject }));
    },
    (value, wanted) => came.push(`${value} of ${wanted}`),
  );
  const settled = () => new Promise((resolve) => setTimeout(resolve));
  return { newest, asked, came, waiting, settled };
}

describe('requests of which only the newest counts', () => {
  it('are made one at a time, and those between never', async () => {
    const { newest, asked, came, waiting, settled } = setup();
    for (const frame of [1, 2, 3, 4]) newest.want(frame);
    expect(asked).toEqual([1]);
    waiting[0]?.resolve('picture');
    await settled();
    expect(asked).toEqual([1, 4]);
    newest.want(5);
    newest.forget();
    waiting[1]?.resolve('picture');
    await settled();
    expect([asked, came]).toEqual([[1, 4], ['picture of 1', 'picture of 4']]);
  });
  it('go on after one that failed', async () => {
    const { newest, came, waiting, settled } = setup();
    newest.want(1);
    newest.want(2);
    waiting[0]?.reject(new Error('away'));
    await settled();
    waiting[1]?.resolve('curve');
    await settled();
    newest.want(3);
    waiting[2]?.resolve('curve');
    await settled();
    expect(came).toEqual(['curve of 2', 'curve of 3']);
  });
});
