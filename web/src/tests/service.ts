/**
 * A service of a test's own, in place of the one that the page asks. Import this before what calls the API: the client
 * takes `fetch` and `Request` as they are when it is made.
 */
import { vi } from 'vitest';
import { Problem } from '../api/problem';

export interface Asked {
  /** Method and path below the API, as `GET /videos/1/tracks`. */
  what: string;
  query: URLSearchParams;
  headers: Headers;
  body: unknown;
}

/** What it answers, as JSON unless it is an answer already. A problem that is thrown is answered; status 0 is no answer. */
type Answer = (asked: Asked) => unknown;

const HERE = 'http://localhost';
let answer: Answer = ({ what }) => {
  throw new Error(`nobody answers ${what}`);
};

class Here extends Request {
  constructor(input: RequestInfo | URL, init?: RequestInit) {
    super(typeof input === 'string' ? new URL(input, HERE) : input, init);
  }
}

async function fetched(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
  const request = new Here(input, init);
  const { pathname, searchParams } = new URL(request.url);
  const text = await request.text();
  const what = `${request.method} ${pathname.replace(/^\/api\/v1/, '')}`;
  try {
    const given = await answer({ what, query: searchParams, headers: request.headers, body: text ? JSON.parse(text) : undefined });
    return given instanceof Response ? given : Response.json(given ?? null);
  } catch (error) {
    if (!(error instanceof Problem) || error.status === 0) throw error;
    const { message: detail, status, revision, conflicts } = error;
    return Response.json({ status, detail, ...(revision === null ? {} : { revision }), conflicts }, { status });
  }
}

vi.stubGlobal('Request', Here);
vi.stubGlobal('fetch', fetched);
// What browsers have and Node has not.
vi.stubGlobal('navigator', {});
vi.stubGlobal('window', { innerWidth: 1280, innerHeight: 800, devicePixelRatio: 1 });

/** Answer from now on in this way; gives what is asked for, as it comes. */
export function serve(how: Answer): string[] {
  const asked: string[] = [];
  answer = (one) => {
    asked.push(one.what);
    return how(one);
  };
  return asked;
}

/** Something that is answered when the test says so. */
export function held<T>(): { promise: Promise<T>; give: (value: T) => void; fail: (error: Error) => void } {
  let give: (value: T) => void = () => undefined;
  let fail: (error: Error) => void = () => undefined;
  const promise = new Promise<T>((resolve, reject) => ([give, fail] = [resolve, reject]));
  return { promise, give, fail };
}

// Node has it, which runs the tests; browsers do not.
declare function setImmediate(then: () => void): void;

/** Until everything that can go on without another answer, or a timer, has done so. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
}
