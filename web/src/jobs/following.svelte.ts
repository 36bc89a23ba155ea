/** A job that somebody waits for. */
import { api, given } from '../api/client';
import { finished, follow } from '../api/events';
import { sentence } from '../api/problem';
import type { Job } from '../api/types';

const QUEUED_LONG_MS = 12_000;

export class Following {
  job = $state.raw<Job | null>(null);
  fault = $state<string | null>(null);
  secondsLeft = $state<number | null>(null);
  /** It waits so long that perhaps no worker runs. */
  lonely = $state(false);
  private stop: () => void = () => undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private began: { at: number; progress: number } | null = null;

  constructor(
    private readonly progressed: (job: Job) => void,
    private readonly ended: (job: Job) => void,
    /** Whether nobody wonders how long it waits. */
    private readonly patient = false,
  ) {}

  get busy(): boolean {
    return this.job !== null && !finished(this.job);
  }

  /** Start a job and follow it. */
  async start(begin: () => Promise<Job>): Promise<void> {
    this.fault = null;
    this.lonely = false;
    this.began = null;
    this.secondsLeft = null;
    try {
      this.follow(await begin());
    } catch (error) {
      this.fault = sentence(error);
    }
  }

  follow(job: Job): void {
    this.stop();
    this.job = job;
    clearTimeout(this.timer);
    if (!this.patient) this.timer = setTimeout(() => (this.lonely = this.job?.state === 'queued'), QUEUED_LONG_MS);
    this.stop = follow(job.id, (now) => this.take(now));
  }

  async cancel(): Promise<void> {
    if (!this.job) return;
    try {
      await given(api.POST('/api/v1/jobs/{job_id}/cancel', { params: { path: { job_id: this.job.id } } }));
    } catch (error) {
      this.fault = sentence(error);
    }
  }

  close(): void {
    this.stop();
    clearTimeout(this.timer);
  }

  private take(job: Job): void {
    const before = this.job?.progress ?? 0;
    this.job = job;
    if (job.state !== 'queued') this.lonely = false;
    if (job.state === 'running') {
      this.began ??= { at: performance.now(), progress: job.progress };
      const gone = (performance.now() - this.began.at) / 1000;
      const done = job.progress - this.began.progress;
      this.secondsLeft = job.remaining_seconds ?? (done > 0.02 ? (gone / done) * (1 - job.progress) : null);
    }
    if (job.error && job.state === 'failed') this.fault = sentence(job.error);
    if (finished(job)) this.ended(job);
    else if (job.progress !== before) this.progressed(job);
  }
}
