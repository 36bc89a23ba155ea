import { serve } from '../tests/service';
import { describe, expect, it } from 'vitest';
import { all, api, fetched, given, onSignedOut } from './client';
import { Problem } from './problem';

let told = 0;
onSignedOut(() => told++);
const refused = (status: number, detail: string) => () => {
  throw new Problem(status, detail);
};

describe.each([
  ['a call', () => given(api.GET('/api/v1/me'))],
  ['a picture', () => fetched('/api/v1/videos/1/frames/0')],
])('%s that the service does not answer as wished', (_, ask) => {
  it('says in a sentence what is wrong', async () => {
    serve(refused(507, 'there is no room'));
    await expect(ask()).rejects.toMatchObject({ status: 507, message: 'there is no room' });
    serve(refused(0, ''));
    await expect(ask()).rejects.toMatchObject({ status: 0, message: 'The service cannot be reached.' });
  });
  it('tells that the session has ended', async () => {
    serve(refused(401, 'over'));
    const before = told;
    await expect(ask()).rejects.toMatchObject({ status: 401 });
    expect(told - before).toBe(1);
  });
});

it('a list is read page after page', async () => {
  const asked: string[] = [];
  serve(({ query }) => {
    asked.push(query.toString());
    const next = { '': 'b', b: 'c', c: null }[query.get('cursor') ?? ''];
    return { items: [{ id: asked.length }], next_cursor: next };
  });
  const rows = await all((query) => api.GET('/api/v1/projects', { params: { query } }));
  expect(rows.map((row) => row.id)).toEqual([1, 2, 3]);
  expect(asked).toEqual(['limit=200', 'limit=200&cursor=b', 'limit=200&cursor=c']);
});
