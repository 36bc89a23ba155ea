import { serve } from '../tests/service';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { Problem } from './problem';

const me = (lab_id: number, key_id: number) => ({ lab_id, key_id, key_name: 'anna', lab_name: 'lab', role: 'lab', operator: false, session_expires_at: '2030-01-01' });

describe('a session', () => {
  let signedIn: ReturnType<typeof me> | null;
  let left: string[];
  /** What a page that was just opened has. */
  const fresh = async () => {
    vi.resetModules();
    return (await import('./session.svelte')).session;
  };
  beforeEach(() => {
    signedIn = me(1, 1);
    left = [];
    vi.stubGlobal('location', { pathname: '/', hash: '', replace: (address: string) => left.push(address) });
    serve(({ what }) => {
      if (what === 'DELETE /session') signedIn = null;
      else if (what === 'GET /me' && !signedIn) throw new Problem(401, 'who is it?');
      return signedIn;
    });
  });

  it('that is signed out leaves nothing on the screen for who comes next: the page begins anew', async () => {
    const session = await fresh();
    await session.begin();
    expect([session.state, left]).toEqual(['in', []]);
    await session.signOut();
    expect(left).toEqual(['/']);
  });

  it('that goes on with the key of another lab begins the page anew, and says nothing of cookies', async () => {
    const session = await fresh();
    await session.begin();
    session.state = 'out';
    signedIn = me(2, 9);
    await session.signIn('key');
    expect([session.state, left]).toEqual(['out', ['/']]);
  });

  it('that goes on in the same lab keeps what is on the screen', async () => {
    const session = await fresh();
    await session.begin();
    session.state = 'out';
    signedIn = me(1, 2);
    await session.signIn('key');
    expect([session.state, session.me?.key_id, left]).toEqual(['in', 2, []]);
  });

  it('is not there where the browser keeps no cookies', async () => {
    const session = await fresh();
    signedIn = null;
    await expect(session.signIn('key')).rejects.toThrow('cookie');
  });
});
