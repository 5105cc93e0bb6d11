import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { versionRecord } from '../../../src/keystore/record-name.ts';
import { allowReveal, gateReads, opened, Stage } from '../stage.ts';

let stage: Stage;
let payments: string;
beforeEach(async () => {
  stage = await Stage.set();
  payments = await stage.keyturn.grant('service:payments', 'service');
  expect(await stage.import()).toMatchObject({ status: 201 });
});
afterEach(() => stage.strike());

const leases = () => stage.desk.ledger.find('leases', {});

describe('no record, no key', () => {
  test('lease, renewal and reveal give nothing while the ledger hangs, or ever after', async () => {
    const asks = [await asker('lease'), await asker('renewal'), await asker('reveal')];
    const release = stage.blockLedger();
    for (const reply of await Promise.all(asks.map((ask) => ask()))) {
      expect(reply).toMatchObject({ status: 503, body: { code: 'ledger_unavailable' } });
      expect(reply.text).not.toContain('sealed');
      expect(reply.headers['retry-after']).toBe('1');
    }
    release();
    for (const ask of asks) expect(await ask()).toMatchObject({ status: 503, body: { code: 'ledger_unavailable' } });
  });

  test.each(['lease', 'renewal', 'reveal'] as const)('a %s gives nothing when the commit fails', async (what) => {
    const ask = await asker(what);
    stage.breakLedger();
    const reply = await ask();
    expect(reply).toMatchObject({ status: 503, body: { code: 'ledger_unavailable' } });
    expect(reply.text).not.toContain('sealed');
  });

  test('the entry of an answer survives a crash right after it', async () => {
    const reply = await stage.lease(payments);
    const after = await stage.afterCrash();
    expect(await after.entries('lease.granted')).toMatchObject([{ data: { lease: reply.body['lease'] } }]);
    await after.stop();
  });

  async function asker(what: 'lease' | 'renewal' | 'reveal') {
    if (what === 'lease') return () => stage.lease(payments);
    if (what === 'renewal') {
      await stage.companion('s3cret');
      const { body } = await stage.lease(payments);
      return () => stage.renew(payments, body['lease']);
    }
    const bob = await allowReveal(stage, 'person:bob');
    return () => stage.reveal(bob);
  }
});

test('a key that somebody has deleted in its store is no "not found": the caller asked well, and the operator is told', async () => {
  await stage.driver.destroy(versionRecord('lean/sandbox', 1));
  expect(await stage.lease(payments)).toMatchObject({ status: 500, body: { code: 'keystore_corrupt' } });
  expect(await leases()).toEqual([]);
  const faults = stage.keyturn.log.filter((line) => line.includes('"event":"fault"'));
  expect(faults.join('')).toContain('The key store file has lost versions/lean/sandbox/1');
  expect(faults.join('')).toContain('"fix":"Bring it back there');
});

test('a public key that nothing can be sealed to gets neither a lease nor its entry', async () => {
  const lowOrder = { hpkePublicKey: Buffer.alloc(32).toString('base64url') };
  expect(await stage.lease(payments, lowOrder)).toMatchObject({ status: 400, body: { code: 'invalid_input' } });
  expect(await leases()).toEqual([]);
  expect(await stage.keyturn.entries('lease.granted')).toEqual([]);
});

describe('what changes between the decision and its commit', () => {
  const changes: Record<string, { change: () => Promise<unknown>; code: string; rule: string }> = {
    'the token is revoked': {
      change: async () => {
        const id = `token_${payments.split('_')[1]}`;
        expect(await stage.keyturn.call('DELETE', `/v1/tokens/${id}`)).toMatchObject({ status: 204 });
      },
      code: 'unauthenticated',
      rule: 'token-revoked',
    },
    'the token expires': {
      change: async () => stage.clock.forward(3_601_000),
      code: 'unauthenticated',
      rule: 'token-expired',
    },
    'the version is frozen': {
      change: () => stage.freeze('version', 'lean/sandbox', { version: 1 }),
      code: 'held',
      rule: 'hold-on-version',
    },
    'the credential is frozen': {
      change: () => stage.freeze('credential', 'lean/sandbox'),
      code: 'held',
      rule: 'hold-on-credential',
    },
    'the principal is frozen': {
      change: () => stage.freeze('principal', 'service:payments'),
      code: 'held',
      rule: 'hold-on-principal',
    },
    'the host is frozen': { change: () => stage.freeze('host', '127.0.0.1'), code: 'held', rule: 'hold-on-host' },
    'the store is frozen': { change: () => stage.freeze('store', 'file'), code: 'held', rule: 'hold-on-store' },
    'the role is taken away': {
      change: async () => {
        await bindings([ADMIN]);
        await stage.post('/v1/policy/reload');
      },
      code: 'permission_denied',
      rule: 'policy-changed',
    },
  };

  test.each(Object.keys(changes))('%s: no lease, no key, and the denial is on the log', async (name) => {
    const { change, code, rule } = changes[name]!;
    const gate = gateReads(stage.driver);
    const asked = stage.lease(payments);
    await gate.reached;
    await change();
    gate.open();
    const reply = await asked;
    expect(reply.body).toMatchObject({ code });
    expect(reply.text).not.toContain('sealed');
    expect(await leases()).toEqual([]);
    const denials = await stage.desk.ledger.entries({ kind: 'access.denied', limit: 100 });
    expect(denials.map(({ json }) => JSON.parse(json).data.rule)).toContain(rule);
  });

  test('the binding expires', async () => {
    const ends = stage.clock.now() + 60_000;
    await bindings([ADMIN, { ...PAYMENTS, expires: new Date(ends).toISOString() }]);
    await stage.post('/v1/policy/reload');
    const gate = gateReads(stage.driver);
    const asked = stage.lease(payments);
    await gate.reached;
    stage.clock.forward(60_001);
    gate.open();
    expect(await asked).toMatchObject({ status: 403, body: { code: 'permission_denied' } });
    expect(await leases()).toEqual([]);
  });

  test('another version is promoted: the lease is on the new one alone', async () => {
    await stage.import();
    const gate = gateReads(stage.driver);
    const asked = stage.lease(payments);
    await gate.reached;
    expect(await stage.promote(2)).toMatchObject({ status: 200 });
    gate.open();
    expect(await asked).toMatchObject({ status: 201, body: { version: 2 } });
    expect(await leases()).toMatchObject([{ version: 2 }]);
  });

  test('a companion is replaced: the lease carries the new value', async () => {
    await stage.companion('old');
    const gate = gateReads(stage.driver);
    const asked = stage.lease(payments);
    await gate.reached;
    const set = stage.companion('new');
    gate.open();
    await set;
    const reply = await asked;
    const again = await stage.renew(payments, reply.body['lease']);
    expect(opened(again).get('companion/lean-app-token')).toEqual(Buffer.from('new'));
  });
});

test('a lease ends with whatever ends first', async () => {
  const short = await stage.keyturn.token('service:payments', 60);
  expect((await stage.lease(short, { ttlSeconds: 600 })).body['secondsLeft']).toBeLessThanOrEqual(60);
  expect((await stage.lease(payments, { ttlSeconds: 86_400 })).body['secondsLeft']).toBeLessThanOrEqual(3_600);
});

test('a name that the caller has no grant on is denied the same whether it exists or not', async () => {
  const there = await stage.lease(await stage.keyturn.token('service:stranger'));
  const absent = await stage.lease(await stage.keyturn.token('service:stranger'), {}, 'lean/absent');
  expect(there.status).toBe(403);
  expect(absent.text.replaceAll('lean/absent', 'lean/sandbox').replace(/request_\w+/, '')).toBe(
    there.text.replace(/request_\w+/, ''),
  );
});

test('the certificate has expired: nothing is lent', async () => {
  stage.clock.forward(366 * 86_400_000);
  const token = await stage.desk.ledger.find('tokens', {});
  expect(token.length).toBeGreaterThan(0);
  const { grantLease } = await import('../../../src/credential/lease/grant.ts');
  const [row] = token.filter(({ principal }) => principal === 'service:payments');
  const caller = {
    principal: { id: 'service:payments', kind: 'service' },
    token: { id: row?.id ?? '', expiresAt: stage.clock.now() + 1_000 },
    request: 'request_test',
    host: '127.0.0.1',
  } as const;
  const wish = { hpkePublicKey: Buffer.alloc(32, 9), seen: 0 };
  await expect(grantLease(stage.desk, caller, 'lean/sandbox', wish)).rejects.toMatchObject({
    code: 'certificate_expired',
  });
});

const ADMIN = {
  id: 'alice',
  role: 'administrator',
  principals: ['person:alice'],
  credentials: ['**'],
  comment: 'test',
};
const PAYMENTS = {
  id: 'payments',
  role: 'service',
  principals: ['service:payments'],
  credentials: ['lean/*'],
  comment: 'test',
};

async function bindings(list: readonly object[]): Promise<void> {
  await writeFile(join(stage.keyturn.home, 'policies/access/bindings.yaml'), JSON.stringify({ bindings: list }));
}
