/** Uploads that can be resumed, also after a reload: choose the same files again and they go on where they were. */
import { defaultOptions, Upload, type PreviousUpload } from 'tus-js-client';
import { BASE } from '../api/client';
import { sentence } from '../api/problem';
import { t } from '../strings';

const AT_ONCE = 2;
/** How long one that arrived is still listed. */
const SHOWN_MS = 3000;

export class Sending {
  sent = $state(0);
  state = $state<'waiting' | 'sending' | 'done' | 'failed'>('waiting');
  fault = $state<string | null>(null);
  /** Whether the same file would be refused again. */
  refused = $state(false);
  /** Bytes a second. */
  rate = $state(0);
  private began = 0;
  private first = 0;
  upload: Upload | null = null;

  constructor(
    readonly project: number,
    readonly file: File,
  ) {}

  note(sent: number): void {
    const now = performance.now();
    if (!this.began) {
      this.began = now;
      this.first = sent;
    }
    this.sent = sent;
    const seconds = (now - this.began) / 1000;
    if (seconds > 0.3) this.rate = (sent - this.first) / seconds;
  }
}

interface Answered {
  originalResponse?: { getBody(): string; getStatus(): number } | null;
}

function why(error: unknown): string {
  const answer = (error as Answered).originalResponse;
  try {
    const detail = (JSON.parse(answer?.getBody() ?? '') as { detail?: string }).detail;
    if (detail) return sentence(detail);
  } catch {
    // It is no problem document.
  }
  return answer ? sentence(`the service answered ${answer.getStatus()}`) : t.unreachable;
}

/** Answers that say that the file itself is wrong: no kind of video, too large, too long. */
const REFUSED = new Set([400, 413, 415, 422]);

class Uploads {
  list = $state.raw<Sending[]>([]);
  /** Counts videos that arrived. */
  arrived = $state(0);

  add(project: number, files: Iterable<File>): void {
    const fresh = [...files].map((file) => new Sending(project, file));
    this.list = [...this.list.filter((one) => one.state !== 'done'), ...fresh];
    this.fill();
  }

  async retry(one: Sending): Promise<void> {
    one.state = 'waiting';
    one.fault = null;
    this.fill();
  }

  async drop(one: Sending): Promise<void> {
    this.list = this.list.filter((other) => other !== one);
    if (one.state === 'sending') await one.upload?.abort(true).catch(() => undefined);
    this.fill();
  }

  private fill(): void {
    const room = AT_ONCE - this.list.filter((one) => one.state === 'sending').length;
    for (const one of this.list.filter((other) => other.state === 'waiting').slice(0, Math.max(0, room))) void this.send(one);
  }

  private async send(one: Sending): Promise<void> {
    one.state = 'sending';
    const ended = (state: 'done' | 'failed') => {
      one.state = state;
      if (state === 'done') {
        this.arrived++;
        setTimeout(() => (this.list = this.list.filter((other) => other !== one)), SHOWN_MS);
      }
      this.fill();
    };
    const upload = new Upload(one.file, {
      endpoint: `${BASE}/uploads`,
      retryDelays: [500, 1500, 4000, 10_000, 20_000],
      removeFingerprintOnSuccess: true,
      fingerprint: async (file) => `posetween-${one.project}-${one.file.name}-${one.file.size}-${(file as File).lastModified}`,
      metadata: { filename: one.file.name.slice(0, 255), project_id: String(one.project) },
      onProgress: (sent) => one.note(sent),
      onSuccess: () => ended('done'),
      onError: (error) => {
        one.fault = why(error);
        one.refused = REFUSED.has((error as Answered).originalResponse?.getStatus() ?? 0);
        ended('failed');
      },
    });
    one.upload = upload;
    const before = await upload.findPreviousUploads();
    if (before[0]) upload.resumeFromPreviousUpload(before[0]);
    upload.start();
  }
}

export const uploads = new Uploads();

/** An upload that was broken off when its page was left: the browser knows where it was, but not the file any more. */
export interface Interrupted {
  name: string;
  size: number;
  kept: PreviousUpload;
}

/** Uploads of a project that were broken off and are not under way here. */
export async function interrupted(project: number, underWay: readonly Sending[]): Promise<Interrupted[]> {
  const all = await defaultOptions.urlStorage.findAllUploads().catch(() => []);
  const here = underWay.map((one) => `${one.file.name}/${one.file.size}`);
  return all
    .filter((one) => one.metadata.project_id === String(project))
    .map((kept) => ({ name: kept.metadata.filename ?? '', size: kept.size ?? 0, kept }))
    .filter((one) => !here.includes(`${one.name}/${one.size}`));
}

export const forget = (one: Interrupted): Promise<void> => defaultOptions.urlStorage.removeUpload(one.kept.urlStorageKey);

interface Entry {
  isFile: boolean;
  file(give: (file: File) => void, fail: () => void): void;
  createReader(): { readEntries(give: (entries: Entry[]) => void, fail: () => void): void };
}

/** All files of what was dropped, those in folders too. */
export async function dropped(transfer: DataTransfer): Promise<File[]> {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry() as unknown as Entry | null);
  if (entries.every((entry) => entry === null)) return [...transfer.files];
  return (await Promise.all(entries.filter((entry) => entry !== null).map(filesIn))).flat();
}

async function filesIn(entry: Entry): Promise<File[]> {
  if (entry.isFile) return new Promise((resolve) => entry.file((file) => resolve([file]), () => resolve([])));
  const reader = entry.createReader();
  const found: File[] = [];
  for (;;) {
    const some = await new Promise<Entry[]>((resolve) => reader.readEntries(resolve, () => resolve([])));
    if (!some.length) return found;
    found.push(...(await Promise.all(some.map(filesIn))).flat());
  }
}
