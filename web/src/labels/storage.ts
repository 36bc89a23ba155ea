/** Edits that are not saved yet, in the browser's own database: they survive a reload, a crash and signing in again. */
import { openDB, type DBSchema } from 'idb';
import { once } from '../api/client';
import type { Edit } from './edits';

interface Kept {
  page: string;
  edit: Edit;
}

interface Schema extends DBSchema {
  edits: { key: string; value: Kept; indexes: { video: number } };
}

/** This page: other tabs' edits are theirs to save as long as they live. */
const page = once();
const LOCK = 'posetween-page-';

if ('locks' in navigator) navigator.locks.request(LOCK + page, () => new Promise(() => undefined)).catch(() => undefined);

// Where a browser keeps nothing for pages, asking for the database may throw.
const open = async () =>
  openDB<Schema>('posetween', 1, {
    upgrade(db) {
      db.createObjectStore('edits').createIndex('video', 'edit.video');
    },
  });
const opened = open();
opened.catch(() => undefined);

const key = (edit: Edit): string => `${page}/${edit.video}/${edit.frame}/${edit.track}`;

/** Where a browser keeps nothing for pages, edits are kept in memory alone. */
async function trying<T>(act: () => Promise<T>, otherwise: T): Promise<T> {
  try {
    return await act();
  } catch {
    return otherwise;
  }
}

export const put = (edit: Edit): Promise<void> =>
  trying(async () => void (await (await opened).put('edits', { page, edit: structuredClone(edit) }, key(edit))), undefined);

export const remove = (edit: Edit): Promise<void> =>
  trying(async () => (await opened).delete('edits', key(edit)), undefined);

async function livingPages(): Promise<Set<string>> {
  if (!('locks' in navigator)) return new Set([page]);
  const { held } = await navigator.locks.query();
  return new Set((held ?? []).map((lock) => (lock.name ?? '').replace(LOCK, '')));
}

/** Edits of a video that pages left behind which are gone. */
export async function leftBehind(video: number): Promise<Edit[]> {
  return trying(async () => {
    const living = await livingPages();
    const kept = await (await opened).getAllFromIndex('edits', 'video', video);
    return kept.filter((one) => !living.has(one.page)).map((one) => one.edit);
  }, []);
}

/** Forget what was left behind: it was taken up again, or is not wanted. */
export async function forgetLeftBehind(video: number): Promise<void> {
  await trying(async () => {
    const living = await livingPages();
    const db = await opened;
    for (const name of await db.getAllKeysFromIndex('edits', 'video', video))
      if (!living.has(name.split('/')[0] ?? '')) await db.delete('edits', name);
  }, undefined);
}
