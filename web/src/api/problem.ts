import type { Conflict } from './types';

/** What the service said is wrong, as a problem document (RFC 9457); status 0 when it did not answer at all. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    detail: string,
    readonly revision: number | null = null,
    readonly conflicts: Conflict[] = [],
  ) {
    super(detail);
  }
}

interface Body {
  detail?: unknown;
  title?: unknown;
  revision?: unknown;
  conflicts?: unknown;
  errors?: { pointer?: string; detail?: string }[];
}

/** Read a problem from what a call answered. */
export function problemOf(status: number, body: unknown): Problem {
  const read = (typeof body === 'object' && body !== null ? body : {}) as Body;
  const text = typeof read.detail === 'string' ? read.detail : typeof read.title === 'string' ? read.title : '';
  return new Problem(
    status,
    text || `the service answered ${status}`,
    typeof read.revision === 'number' ? read.revision : null,
    Array.isArray(read.conflicts) ? (read.conflicts as Conflict[]) : [],
  );
}

/** A sentence for a person. */
export function sentence(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const line = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(line) ? line : `${line}.`;
}
