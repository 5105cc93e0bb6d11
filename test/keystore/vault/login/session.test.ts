import { beforeEach, describe, expect, it } from 'vitest';
import { vaultError } from '../../../../src/keystore/vault/client/reason.ts';
import type { Grant, LoginClient, LoginMethod } from '../../../../src/keystore/vault/login/method.ts';
import { Session, type SessionTime } from '../../../../src/keystore/vault/login/session.ts';

/** Time that stands still until it is moved, and then calls what is due. */
class TurnedTime implements SessionTime {
  now = 0;
  due: { at: number; call: () => void }[] = [];
  readonly waits: number[] = [];
  readonly monotonic = () => this.now;
  readonly random = () => 0.5;
  readonly after = (milliseconds: number, call: () => void) => {
    this.waits.push(milliseconds);
    const entry = { at: this.now + milliseconds, call };
    this.due.push(entry);
    return () => {
      this.due = this.due.filter((each) => each !== entry);
    };
  };

  async pass(milliseconds: number): Promise<void> {
    const end = this.now + milliseconds;
    for (let next = this.#next(end); next !== undefined; next = this.#next(end)) {
      this.now = next.at;
      this.due = this.due.filter((each) => each !== next);
      next.call();
      for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
    }
    this.now = end;
  }

  #next(end: number) {
    return this.due.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
  }
}

let time: TurnedTime;
let logins: number;
let renewals: number;
let renewed: () => number;

beforeEach(() => {
  time = new TurnedTime();
  logins = 0;
  renewals = 0;
});

function session(grant: Omit<Grant, 'token'>, method: Partial<LoginMethod> = {}): Session {
  const client: LoginClient = {
    post: async () => {
      renewals += 1;
      const octets = Buffer.from(JSON.stringify({ auth: { lease_duration: renewed() } }));
      return { status: 200, octets, retryAfterMs: null };
    },
    get: () => Promise.reject(new Error('not asked')),
    renewIdentity: () => {},
  };
  const login = async () => {
    logins += 1;
    return { token: `t${logins}`, ...grant };
  };
  return new Session(
    { description: 'test', fix: 'none', repeatable: true, renews: true, login, ...method },
    client,
    time,
  );
}

const HOUR = 3_600_000;

describe('a session with Vault', () => {
  it('logs in when a token is first needed, once for all who wait', async () => {
    const held = session({ leaseSeconds: 3600, renewable: true });
    expect(logins).toBe(0);
    expect(await Promise.all([held.token(), held.token(), held.token()])).toEqual(['t1', 't1', 't1']);
  });

  it('renews at two thirds of the life, again and again', async () => {
    renewed = () => 3600;
    const held = session({ leaseSeconds: 3600, renewable: true });
    await held.token();
    await time.pass(10 * HOUR);
    expect(renewals).toBe(15);
    expect(logins).toBe(1);
  });

  it('waits out a life longer than a timer can be, in pieces, without renewing early', async () => {
    renewed = () => 2_000 * 3600;
    const held = session({ leaseSeconds: 2_000 * 3600, renewable: true });
    await held.token();
    await time.pass(1_200 * HOUR);
    expect(renewals).toBe(0);
    expect(Math.max(...time.waits)).toBeLessThan(2 ** 31);
    await time.pass(200 * HOUR);
    expect(renewals).toBe(1);
  });

  it('logs in anew when a renewal gives less than half a life, for the maximum is near', async () => {
    renewed = () => 600;
    const held = session({ leaseSeconds: 3600, renewable: true });
    await held.token();
    await time.pass(HOUR);
    expect(await held.token()).toBe('t2');
  });

  it('logs in anew, early, when the token can not be renewed', async () => {
    const held = session({ leaseSeconds: 3600, renewable: false });
    await held.token();
    await time.pass(HOUR * 0.9);
    expect([logins, renewals]).toEqual([2, 0]);
  });

  it('goes on renewing after one renewal failed', async () => {
    let failures = 1;
    renewed = () => {
      failures -= 1;
      if (failures === 0) throw vaultError('unreachable', 'as planted');
      return 3600;
    };
    const held = session({ leaseSeconds: 3600, renewable: true });
    await held.token();
    await time.pass(2 * HOUR);
    expect(renewals).toBeGreaterThan(1);
    expect(await held.token()).toBe('t1');
  });

  it('does not hand out a token whose life is over', async () => {
    renewed = () => {
      throw vaultError('unreachable', 'as planted');
    };
    const held = session({ leaseSeconds: 3600, renewable: true });
    await held.token();
    await time.pass(2 * HOUR);
    expect(await held.token()).toBe('t2');
  });

  it('replaces a refused token once for all, and not again within a second', async () => {
    const held = session({ leaseSeconds: 3600, renewable: true });
    await held.token();
    expect(await Promise.all([held.replace('t1'), held.replace('t1')])).toContain('t2');
    expect(await held.replace('t1')).toBe('t2');
    expect(await held.replace('t2')).toBeNull();
    await time.pass(1_000);
    expect(await held.replace('t2')).toBe('t3');
    expect(logins).toBe(3);
  });

  it('has nothing in place of a token that was handed to it', async () => {
    const held = session({ leaseSeconds: 0, renewable: false }, { repeatable: false });
    expect(await held.replace(await held.token())).toBeNull();
    expect(time.waits).toEqual([]);
  });

  it('renews a token that was handed to it as long as that gives anything: there is no other to be had', async () => {
    renewed = () => 600;
    const held = session({ leaseSeconds: 3600, renewable: true }, { repeatable: false });
    await held.token();
    await time.pass(2 * HOUR);
    expect(renewals).toBeGreaterThan(10);
    expect(logins).toBe(1);
  });

  it('asks no more about a handed token whose life is over', async () => {
    renewed = () => {
      throw vaultError('forbidden', 'Denied.');
    };
    const held = session({ leaseSeconds: 3600, renewable: true }, { repeatable: false });
    await held.token();
    await time.pass(HOUR + 2_000);
    const asked = renewals;
    await time.pass(HOUR);
    expect(renewals).toBe(asked);
    expect(asked).toBeLessThan(30);
  });

  it('asks for nothing and waits for nothing once closed', async () => {
    const held = session({ leaseSeconds: 3600, renewable: true });
    await held.token();
    held.close();
    expect(time.due).toEqual([]);
    await expect(held.token()).rejects.toMatchObject({ facts: { reason: 'closed' } });
    expect(logins).toBe(1);
  });
});
