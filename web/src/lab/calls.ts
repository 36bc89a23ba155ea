/** Calls about the lab itself: its keys, what it stores, what was done in it, other labs. */
import { all, api, given, pageFrom } from '../api/client';
import type { Role } from '../api/session.svelte';
import type { Entry, Key, Lab, LabUsage } from '../api/types';

export const keys = (): Promise<Key[]> => all((page) => api.GET('/api/v1/keys', { params: { query: page } }));

/** Make a key; what it is, is told this one time. */
export const makeKey = (name: string, role: Role, expires: string | null) =>
  given(api.POST('/api/v1/keys', { body: { name, role, ...(expires ? { expires_at: expires } : {}) } }));

export const revoke = (key: number) => given(api.DELETE('/api/v1/keys/{key_id}', { params: { path: { key_id: key } } }));

export const usage = (): Promise<LabUsage> => given(api.GET('/api/v1/lab'));

export const labs = (): Promise<Lab[]> => all((page) => api.GET('/api/v1/labs', { params: { query: page } }));

export const makeLab = (name: string) => given(api.POST('/api/v1/labs', { body: { name } }));

/** A page of the audit trail, of one kind of act or of all. */
export async function entries(kind: string | null, cursor: string | null): Promise<{ items: Entry[]; next_cursor: string | null }> {
  const query = { ...pageFrom(cursor, 100), ...(kind ? { kind: kind as never } : {}) };
  return given(api.GET('/api/v1/audit', { params: { query } }));
}
