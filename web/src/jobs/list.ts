/** The lab's jobs, newest first, as many as somebody wants to see: there may be very many. */
import { api, given, MOST_A_PAGE, pageFrom } from '../api/client';
import type { Job, JobLine } from '../api/types';

export const JOB_STATES = ['running', 'queued', 'failed', 'cancelled', 'succeeded'] as const;
export type JobState = (typeof JOB_STATES)[number];

export interface Wanted {
  state: JobState | null;
  kind: string | null;
}

export interface Listed {
  jobs: Job[];
  /** Whether there are older ones. */
  more: boolean;
}

const LOOKED_AT_AGAIN = 1000;

/** So many of the newest jobs, or all there are. */
export async function newest(wanted: Wanted, count: number): Promise<Listed> {
  const jobs: Job[] = [];
  let cursor: string | null = null;
  do {
    const query = {
      ...pageFrom(cursor, Math.min(MOST_A_PAGE, count - jobs.length)),
      ...(wanted.state ? { state: wanted.state } : {}),
      ...(wanted.kind ? { kind: wanted.kind } : {}),
    };
    const page: { items: Job[]; next_cursor: string | null } = await given(api.GET('/api/v1/jobs', { params: { query } }));
    jobs.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor && jobs.length < count);
  return { jobs, more: cursor !== null };
}

/** The same as it is now; of a very long list what is far down stays as it was read. */
export async function again(wanted: Wanted, known: Listed): Promise<Listed> {
  const { jobs, more } = await newest(wanted, Math.min(LOOKED_AT_AGAIN, known.jobs.length));
  return { jobs: joined(jobs, known.jobs, more), more: more && known.more };
}

/** What was read anew, and of what was known that which is older. */
export function joined(fresh: readonly Job[], known: readonly Job[], more: boolean): Job[] {
  const last = fresh.at(-1)?.id;
  return more && last !== undefined ? [...fresh, ...known.filter((job) => job.id < last)] : [...fresh];
}

export const logOf = async (job: number): Promise<JobLine[]> =>
  (await given(api.GET('/api/v1/jobs/{job_id}/log', { params: { path: { job_id: job }, query: { limit: MOST_A_PAGE } } }))).items;

/** Seconds that a job has taken so far; null before it begins. */
export function taken(job: Job, now: number): number | null {
  if (!job.started_at) return null;
  const end = job.finished_at ? Date.parse(job.finished_at) : now;
  return Math.max(0, (end - Date.parse(job.started_at)) / 1000);
}
