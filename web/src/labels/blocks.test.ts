import { expect, it } from 'vitest';
import { held, settled } from '../tests/service';
import type { Block } from './block';
import { Blocks } from './blocks';

const block = { pose: () => ({}) } as unknown as Block;
const CHUNK = 256;

it('what is looked at stays, though much that was passed on the way comes later', async () => {
  const asked = new Map<number, ReturnType<typeof held<Block>>>();
  const fetch = (start: number) => {
    asked.set(start / CHUNK, held<Block>());
    return asked.get(start / CHUNK)?.promise as Promise<Block>;
  };
  const blocks = new Blocks(fetch, 100 * CHUNK, () => undefined);
  for (let chunk = 0; chunk < 40; chunk += 2) blocks.near(chunk * CHUNK);
  blocks.near(60 * CHUNK);
  await settled();
  for (const chunk of [60, 61, ...Array.from({ length: 40 }, (_, index) => index)]) {
    asked.get(chunk)?.give(block);
    await settled();
  }
  expect(blocks.at(60 * CHUNK, 1)).toBeDefined();
  expect(Array.from({ length: 100 }, (_, chunk) => chunk).filter((chunk) => blocks.at(chunk * CHUNK, 1))).toHaveLength(8);
});

it('what was looked at lately stays longer than what was fetched lately', async () => {
  const blocks = new Blocks(async () => block, 100 * CHUNK, () => undefined);
  for (const chunk of [0, 10, 20, 30, 0, 40]) {
    blocks.near(chunk * CHUNK);
    await settled();
  }
  expect([0, 10, 20, 30, 40].map((chunk) => blocks.at(chunk * CHUNK, 1) !== undefined)).toEqual([true, false, true, true, true]);
});
