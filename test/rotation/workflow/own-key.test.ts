import { generateKeyPairSync } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { SecretBytes } from '../../../src/core/secret-bytes.ts';
import { freshHome } from '../../e2e/home.ts';
import { edit, TestInstance } from '../../e2e/instance.ts';
import { RelyingParty } from '../../fakes/relying-party.ts';
import { QUICK, type Shown } from '../stage.ts';

let home: string;
let keyturn: TestInstance;
let party: RelyingParty;
let crash: string | null = null;
/** Where it crashes each time. */
let stuck: string | null = null;
/** How often it did. */
let crashes = 0;

beforeEach(async () => {
  home = await freshHome();
  await edit(join(home, 'keyturn.yaml'), (config) => ({ ...config, issuers: { 'house-ca': { kind: 'local' } } }));
  party = await RelyingParty.start(async () => {
    // As anybody fetches them, without a token.
    const of = (what: string) => keyturn.call('GET', `/v1/issuers/house-ca/${what}.pem`, { token: null });
    const [authority, list] = [await of('authority'), await of('revoked')];
    return { authority: authority.text, list: list.text };
  });
  await writeFile(join(home, 'policies', 'partners', 'house-server.pem'), party.chainPem);
  await profile({});
  await open();
});
afterEach(async () => {
  crash = null;
  stuck = null;
  crashes = 0;
  await keyturn.stop();
  await party.stop();
  await rm(home, { recursive: true, force: true });
});

async function open(): Promise<void> {
  const onPoint = (name: string) => {
    if (name !== crash && name !== stuck) return;
    crash = null;
    crashes += 1;
    throw new Error('crashed here');
  };
  keyturn = await TestInstance.open(home, undefined, { pace: QUICK, onPoint });
}

async function profile(issuance: Record<string, unknown>): Promise<void> {
  const document = {
    partner: 'house',
    title: 'The house',
    environments: {
      live: {
        endpoints: [{ url: party.url, mtls: true }],
        issuerChain: { source: 'upload' },
        serverTrust: { mode: 'pinned', file: 'house-server.pem' },
        refusals: [{ kind: 'status', status: 403 }],
        issuance: { issuer: 'house-ca', key: 'keyturn', live: 'any', lifetime: '30d', ...issuance },
        revocation: { by: 'issuer', propagation: '1s', reasons: true },
        test: { endpoint: party.url, path: '/' },
      },
    },
  };
  await writeFile(join(home, 'policies', 'partners', 'house.yaml'), JSON.stringify(document));
}

const ROTATION = '/v1/credentials/house%2Flive/rotation';

async function until(what: string, isSo: (shown: Shown) => boolean): Promise<Shown> {
  const end = performance.now() + 15_000;
  for (;;) {
    const shown = (await keyturn.call('GET', ROTATION)).body as unknown as Shown;
    if (isSo(shown)) return shown;
    if (performance.now() > end) throw new Error(`Never ${what}: ${JSON.stringify(shown, null, 1)}`);
    await keyturn.serving.instance.rotator.tick();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function rotate(): Promise<Shown> {
  const { status, body } = await keyturn.call('POST', ROTATION, { json: { reason: 'test' } });
  expect({ status, body }).toMatchObject({ status: 201 });
  return until('completed', ({ state, id }) => state === 'completed' && id === body['id']);
}

function versions() {
  return keyturn.serving.instance.desk.ledger.find('versions', { credential: 'house/live' }, { orderBy: 'version' });
}

function issued() {
  return keyturn.serving.instance.desk.ledger.find('issued', { issuer: 'house-ca' }, { orderBy: 'issued_at' });
}

test('the first certificate of a credential, then another: made, proven, revoked at the authority, seen to be refused', async () => {
  const first = await rotate();
  expect(first).toMatchObject({
    replaces: null,
    version: 1,
    path: ['make-key', 'request', 'await', 'canary', 'promote'],
  });
  const second = await rotate();
  expect(second).toMatchObject({ replaces: 1, version: 2, tasks: [] });
  expect(second.found).toMatchObject({
    control: { verdict: 'accepted' },
    canary: { verdict: 'accepted' },
    revocation: { by: 'issuer', who: 'house-ca', reasonKept: true },
  });
  const [old, fresh] = await versions();
  expect([old?.state, fresh?.state]).toEqual(['destroyed', 'current']);
  expect(fresh?.subject).toBe('CN=house/live');
  expect(await issued()).toMatchObject([
    { serial: old?.serial, reason: 'superseded' },
    { serial: fresh?.serial, revoked_at: null },
  ]);
  const { text } = await keyturn.call('GET', '/metrics', { token: null });
  for (const [verb, count] of [
    ['issue', 2],
    ['revoke', 1],
  ] as const) {
    const labels = `issuer="house-ca",verb="${verb}",result="ok"`;
    expect(text).toContain(`keyturn_issuer_request_duration_seconds_count{${labels}} ${count}`);
  }
  await keyturn.restart();
  expect(party.accepted.at(-1)).toBe(fresh?.serial);
});

test.each([
  'make-key:before',
  'make-key:written',
  'make-key:acted',
  'make-key:journaled',
  'request:before',
  'request:answered',
  'request:acted',
  'request:journaled',
])('interrupted at %s it goes on with the same key, and one certificate is issued', async (point) => {
  crash = point;
  await rotate();
  expect(crash).toBeNull();
  expect(await issued()).toHaveLength(1);
  const [made] = await versions();
  expect(made).toMatchObject({ version: 1, state: 'current' });
  expect(await keyturn.serving.instance.store.list()).toContain(made?.record);
});

test('aborted when its certificate is there, everything that it made is gone: revoked, retired, destroyed', async () => {
  await rotate();
  party.trust = () => Promise.reject(new Error('down'));
  await keyturn.call('POST', ROTATION, { json: { reason: 'test' } });
  await until('halted', ({ state }) => state === 'halted');
  const reply = await keyturn.call('POST', `${ROTATION}/abort`, { json: { reason: 'no need' } });
  expect(reply).toMatchObject({ status: 200, body: { state: 'undoing' } });
  await until('aborted', ({ state }) => state === 'aborted');
  expect(await versions()).toMatchObject([{ state: 'current' }, { state: 'destroyed' }]);
  expect(await issued()).toMatchObject([{ revoked_at: null }, { reason: 'cessationOfOperation' }]);
  const [current, gone] = await versions();
  const records = await keyturn.serving.instance.store.list();
  expect(records).toContain(current?.record);
  expect(records).not.toContain(gone?.record);
  await keyturn.restart();
});

test('aborted between key and certificate, the key is destroyed, what was issued is revoked, and no number comes again', async () => {
  stuck = 'request:answered';
  await keyturn.call('POST', ROTATION, { json: { reason: 'test' } });
  await until('crashed', () => crashes > 0);
  expect(await issued()).toHaveLength(1);
  expect(await keyturn.call('POST', `${ROTATION}/abort`, { json: { reason: 'test' } })).toMatchObject({ status: 200 });
  await until('aborted', ({ state }) => state === 'aborted');
  expect(await versions()).toEqual([]);
  expect(await issued()).toMatchObject([{ reason: 'cessationOfOperation' }]);
  stuck = null;
  expect(await keyturn.serving.instance.store.list()).not.toContain('versions/house/live/1');
  await keyturn.restart();
  expect(await rotate()).toMatchObject({ version: 2 });
});

test('a record that the ledger has forgotten is neither used nor overwritten: the next number is taken', async () => {
  const { store } = keyturn.serving.instance;
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  using left = SecretBytes.own(privateKey.export({ format: 'der', type: 'pkcs8' }));
  await store.write('versions/house/live/1', left);
  expect(await rotate()).toMatchObject({ version: 2 });
  using kept = await store.read('versions/house/live/1');
  expect(kept.equals(left)).toBe(true);
});

test('nothing is put into a frozen key store', async () => {
  const frozen = await keyturn.call('POST', '/v1/holds', {
    json: { target: 'store', subject: 'file', reason: 'test' },
  });
  expect(frozen.status).toBe(201);
  await keyturn.call('POST', ROTATION, { json: { reason: 'test' } });
  const waiting = await until('waiting', ({ waitsFor }) => waitsFor !== null);
  expect(waiting).toMatchObject({ step: 'make-key', waitsFor: 'The key store file is frozen.' });
  expect(await keyturn.serving.instance.store.list()).not.toContain('versions/house/live/1');
});
