import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Partner, startPartner } from '../fakes/partner/partner.ts';
import { entriesOf, lentWhileHeld } from './freeze/freeze-order.ts';
import { ServiceProcess } from './freeze/service-process.ts';
import { TestInstance } from './instance.ts';

/** Long enough for a busy machine, short enough to wait for its renewal. */
const LEASE_MS = 4_000;

let partner: Partner;
let keyturn: TestInstance;
let service: ServiceProcess;
let bob: string;

beforeAll(async () => {
  partner = await startPartner();
  keyturn = await TestInstance.start({ leases: { default: `${LEASE_MS / 1_000}s`, maximum: '1h' } });
  await keyturn.meet(partner);
  const { zip } = await partner.portal.generate({ key: 'ec-p256' });
  await keyturn.import('lean/sandbox', { 'cert.zip': zip, 'chain.zip': await partner.portal.chain() });
  bob = await keyturn.grant('person:bob', 'approver', { credentials: ['**'] });
  service = await ServiceProcess.start(
    keyturn.home,
    await keyturn.grant('service:payments', 'service'),
    partner.mtlsUrl,
  );
});

afterAll(async () => {
  await service[Symbol.asyncDispose]();
  await keyturn.stop();
  await partner.stop();
});

const SUBJECTS = [
  ['version', { subject: 'lean/sandbox', version: 1 }],
  ['credential', { subject: 'lean/sandbox' }],
  ['principal', { subject: 'service:payments' }],
  ['host', { subject: '127.0.0.1' }],
  ['store', { subject: 'file' }],
] as const;

test.each(SUBJECTS)(
  'a running service is cut off by a freeze of its %s within its renewal, and two persons bring it back',
  async (target, subject) => {
    const from = service.told.length;
    const frozenAt = Date.now();
    const hold = await keyturn.call('POST', '/v1/holds', { json: { target, ...subject, reason: 'seen in a paste' } });
    expect(hold, hold.text).toMatchObject({ status: 201 });
    const ended = await service.next(({ kind }) => kind === 'ended', from);
    expect(ended.at - frozenAt).toBeLessThan(LEASE_MS);
    const cut = await service.next(({ kind, at }) => kind === 'call' && at > ended.at, from);
    expect(cut).toMatchObject({ ok: false, code: 'held' });
    // Told first by an event, and by no alarm: this is the server’s verdict.
    expect(service.told.slice(from).filter(({ kind }) => kind === 'alarm' || kind === 'ended')).toMatchObject([
      { kind: 'ended', code: 'held' },
    ]);

    const thaw = (token: string) =>
      keyturn.call('POST', `/v1/holds/${String(hold.body['hold'])}/thaw`, { token }).then(({ status }) => status);
    expect([await thaw(keyturn.admin), await thaw(keyturn.admin)]).toEqual([200, 403]);
    const thawingAt = Date.now();
    expect(await thaw(bob)).toBe(200);
    const after = service.told.indexOf(cut);
    const back = await service.next(({ ok }) => ok === true, after);
    const between = service.told.slice(after, service.told.indexOf(back)).filter(({ kind }) => kind === 'call');
    expect(new Set(between.map(({ code }) => code))).toEqual(new Set(['held']));
    expect(partner.seen.filter(({ at }) => at > cut.at && at < thawingAt)).toEqual([]);
    expect(service.told.slice(after).some(({ kind }) => kind === 'leased')).toBe(true);
  },
);

test('no lease entry follows the entry of its freeze, told from the exported log alone', async () => {
  const { text } = await keyturn.call('GET', '/v1/audit/export');
  const entries = entriesOf(text);
  expect(entries.filter(({ kind }) => kind === 'hold.placed')).toHaveLength(SUBJECTS.length);
  expect(entries.filter(({ kind }) => kind === 'hold.lifted')).toHaveLength(SUBJECTS.length);
  expect(entries.filter(({ kind }) => kind === 'lease.granted').length).toBeGreaterThan(SUBJECTS.length);
  expect(lentWhileHeld(entries)).toEqual([]);
});

test('the control: a lease entry moved behind any of the freezes is found', async () => {
  const entries = entriesOf((await keyturn.call('GET', '/v1/audit/export')).text);
  const lease = entries.findIndex(({ kind }) => kind === 'lease.granted');
  for (const [at, { kind }] of entries.entries()) {
    if (kind !== 'hold.placed') continue;
    const moved = entries.toSpliced(at + 1, 0, entries[lease]!);
    expect(lentWhileHeld(moved)).toHaveLength(1);
  }
});
