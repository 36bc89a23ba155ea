/** Who this browser is signed in as. */
import { t } from '../strings';
import { api, given, onSignedOut } from './client';
import { Problem } from './problem';
import type { Me } from './types';

const ROLES = ['reader', 'annotator', 'lab', 'admin'] as const;
export type Role = (typeof ROLES)[number];

type State = 'asking' | 'in' | 'out' | 'unreachable';

class Session {
  state = $state<State>('asking');
  me = $state<Me | null>(null);
  private leaving = false;

  constructor() {
    onSignedOut(() => {
      if (this.state === 'in') this.state = 'out';
    });
  }

  /** Find out at the start; a one-time token in the fragment is taken out of the address and used up. */
  async begin(): Promise<void> {
    const token = /^#token=([\w-]+)$/.exec(location.hash)?.[1];
    if (token) {
      history.replaceState(null, '', location.pathname);
      try {
        await this.signIn(token);
        return;
      } catch {
        // It was used before, perhaps by this browser: its session may stand.
      }
    }
    await this.look();
  }

  async look(): Promise<void> {
    try {
      const me = await given(api.GET('/api/v1/me'));
      if (this.me && this.me.lab_id !== me.lab_id) return this.leave();
      this.me = me;
      this.state = 'in';
    } catch (error) {
      this.state = error instanceof Problem && error.status === 401 ? 'out' : 'unreachable';
    }
  }

  /**
   * Trade a key or a one-time token for a cookie that no script can read.
   *
   * @throws Problem - The service does not know it, or this browser keeps no cookies.
   */
  async signIn(secret: string): Promise<void> {
    await given(api.POST('/api/v1/session', { headers: { Authorization: `Bearer ${secret.trim()}` } }));
    await this.look();
    if (this.state === 'out' && !this.leaving) throw new Problem(401, t.no_cookies);
  }

  /** Whether this key may do what needs a role. The service decides; the page asks so as to offer nothing in vain. */
  may(role: Role): boolean {
    const mine = this.me?.role;
    return mine !== undefined && ROLES.indexOf(mine) >= ROLES.indexOf(role);
  }

  async signOut(): Promise<void> {
    await given(api.DELETE('/api/v1/session'));
    this.leave();
  }

  /** Begin with a new page: on this one another lab's things are shown, and edits wait that would be sent as somebody else's. */
  private leave(): void {
    this.leaving = true;
    location.replace(location.pathname);
  }
}

export const session = new Session();
