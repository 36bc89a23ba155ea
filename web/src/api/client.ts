/** Calls of the API: types from its schema, problems as exceptions, one place that learns of a session that ended. */
import createClient, { type Middleware } from 'openapi-fetch';
import { t } from '../strings';
import { Problem, problemOf } from './problem';
import type { paths } from './schema';

export const BASE = '/api/v1';

export const api = createClient<paths>({ baseUrl: '/' });

type Listener = () => void;
const listeners = new Set<Listener>();

/** Be told when the service no longer knows this browser. */
export function onSignedOut(listener: Listener): void {
  listeners.add(listener);
}

function signedOut(): void {
  for (const tell of listeners) tell();
}

const watching: Middleware = {
  onResponse({ response, request }) {
    if (response.status === 401 && !request.headers.has('Authorization')) signedOut();
  },
  onError() {
    return new Problem(0, t.unreachable);
  },
};
api.use(watching);

/**
 * Fetch what is no JSON, such as a picture.
 *
 * @throws Problem - The service gave none, or did not answer.
 */
export async function fetched(url: string, signal?: AbortSignal): Promise<Response> {
  const answer = await fetch(url, signal ? { signal } : {}).catch(() => {
    throw new Problem(0, t.unreachable);
  });
  if (answer.status === 401) signedOut();
  if (!answer.ok) throw problemOf(answer.status, await answer.json().catch(() => null));
  return answer;
}

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/**
 * What a call gave.
 *
 * @throws Problem - It gave none.
 */
export async function given<T>(call: Promise<Answer<T>>): Promise<T> {
  const { data, error, response } = await call;
  if (!response.ok) throw problemOf(response.status, error);
  return data as T;
}

/** Which rows of a list are asked for. */
export interface Page {
  limit: number;
  cursor?: string;
}
/** The most that the service gives at once. */
export const MOST_A_PAGE = 200;

export const pageFrom = (cursor: string | null | undefined, limit: number = MOST_A_PAGE): Page => ({ limit, ...(cursor ? { cursor } : {}) });

/** All rows of a list, page after page. */
export async function all<T>(ask: (page: Page) => Promise<Answer<{ items: T[]; next_cursor: string | null }>>): Promise<T[]> {
  const rows: T[] = [];
  let cursor: string | null = null;
  do {
    const found: { items: T[]; next_cursor: string | null } = await given(ask(pageFrom(cursor)));
    rows.push(...found.items);
    cursor = found.next_cursor;
  } while (cursor !== null);
  return rows;
}

/** A key under which a repeated POST answers the same. */
export function once(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
