import { serve } from '../tests/service';
import { expect, it } from 'vitest';
import { going } from './calls';

it('the training that goes on is found without reading every other job of the lab', async () => {
  const jobs = [
    { id: 1, project_id: 1, kind: 'ingest', state: 'running' },
    { id: 2, project_id: 2, kind: 'train', state: 'running' },
    { id: 3, project_id: 1, kind: 'train', state: 'queued' },
  ];
  let given = 0;
  serve(({ query }) => {
    const items = jobs.filter((job) => job.state === query.get('state') && (query.get('kind') ?? job.kind) === job.kind);
    given += items.length;
    return { items, next_cursor: null };
  });
  expect([(await going(1))?.id, (await going(2))?.id, await going(3)]).toEqual([3, 2, null]);
  expect(given).toBe(5);
});
