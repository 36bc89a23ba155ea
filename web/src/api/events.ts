/** Jobs as they change, by server-sent events; asked for again where those break off. */
import { api, BASE, given } from './client';
import type { Job } from './types';

const FINISHED = new Set(['succeeded', 'failed', 'cancelled']);
const ASK_MS = 2000;

export const finished = (job: Job): boolean => FINISHED.has(job.state);

/** Follow a job until it ends; gives what stops following. */
export function follow(id: number, changed: (job: Job) => void): () => void {
  const events = new EventSource(`${BASE}/jobs/${id}/events`);
  let timer: ReturnType<typeof setTimeout> | undefined;
  let on = true;
  const stop = () => {
    on = false;
    events.close();
    clearTimeout(timer);
  };
  const take = (job: Job) => {
    if (finished(job)) stop();
    changed(job);
  };
  const ask = async () => {
    try {
      const job = await given(api.GET('/api/v1/jobs/{job_id}', { params: { path: { job_id: id } } }));
      if (on) take(job);
    } catch {
      // Asked again in a while: the service may be starting anew.
    }
    if (on) timer = setTimeout(ask, ASK_MS);
  };
  events.addEventListener('job', (event) => take(JSON.parse((event as MessageEvent<string>).data) as Job));
  events.addEventListener('error', () => {
    if (!on || events.readyState !== EventSource.CLOSED) return;
    clearTimeout(timer);
    timer = setTimeout(ask, ASK_MS);
  });
  return stop;
}
