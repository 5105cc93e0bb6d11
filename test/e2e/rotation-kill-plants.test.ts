import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadConfig } from '../../src/compose/config.ts';
import { cannotAsk } from '../../src/compose/master-key.ts';
import { type Instance, openInstance } from '../../src/compose/open.ts';
import { SecretBytes } from '../../src/core/secret-bytes.ts';
import { versionRecord } from '../../src/keystore/record-name.ts';
import { startPartner } from '../fakes/partner/partner.ts';
import { readLog } from './kill/examine.ts';
import { endFaults, RotationCampaign } from './rotation-kill/campaign.ts';
import type { PersonsDesk, Shown } from './rotation-kill/desk/desk.ts';
import { examineInstance, type Outside, wholeFaults } from './rotation-kill/examine.ts';
import { logFaults, type Recorded } from './rotation-kill/log-faults.ts';
import { type Lies, lying } from './rotation-kill/lying.ts';
import { Person } from './rotation-kill/scene/person.ts';
import { wayNamed } from './rotation-kill/ways.ts';

const SETTING = { maker: 'local', live: 2, store: 'file', ledger: 'sqlite', listening: false } as const;
const NOTHING: Outside = { handedOut: [], issuedElsewhere: [], whole: false };

describe('an instance that has rotated as it should, doctored', () => {
  let campaign: RotationCampaign;
  let instance: Instance;
  let log: Recorded[];

  beforeAll(async () => {
    campaign = await RotationCampaign.start(SETTING);
    expect(await campaign.rotate(wayNamed('local'), {})).toEqual([]);
    expect(await campaign.rotate(wayNamed('local-abort'), {})).toEqual([]);
    instance = await openInstance(await loadConfig(campaign.scene.home), { ask: cannotAsk });
    log = (await readLog(instance.desk.ledger)).map((json) => JSON.parse(json) as Recorded);
  });
  afterAll(async () => {
    await instance.close();
    await campaign[Symbol.asyncDispose]();
  });

  test.each<{ what: string; lies: Lies; fault: RegExp }>([
    {
      what: 'nothing is current',
      lies: { versions: (row) => (row.state === 'current' ? { ...row, state: 'previous' } : row) },
      fault: /^0 versions are current$/,
    },
    {
      what: 'two are current',
      lies: { versions: (row) => (row.version === 1 ? { ...row, state: 'current' } : row) },
      fault: /^2 versions are current$/,
    },
    {
      what: 'a version is left over',
      lies: { versions: (row) => (row.version === 3 ? { ...row, state: 'staged' } : row) },
      fault: /^version 3 is still staged$/,
    },
    {
      what: 'a rotation is open',
      lies: { rotations: (row) => (row.version === 2 ? { ...row, ended_at: null } : row) },
      fault: / is open$/,
    },
    {
      what: 'the old key lives on',
      lies: { versions: (row) => (row.version === 1 ? { ...row, state: 'retired' } : row) },
      fault: / has completed, and version 1 is retired$/,
    },
    {
      what: 'what was given up is current',
      lies: { rotations: (row) => (row.version === 2 ? { ...row, state: 'aborted' } : row) },
      fault: / was aborted, and its version 2 is current$/,
    },
    {
      what: 'an orphan of our own authority lives',
      lies: { issued: (row) => ({ ...row, revoked_at: null }) },
      fault: /^the certificate [0-9a-f]+ is of no use, and not revoked$/,
    },
    {
      what: 'what is current is revoked',
      lies: { issued: (row) => ({ ...row, revoked_at: 1 }) },
      fault: /^the current certificate [0-9a-f]+ is revoked$/,
    },
    {
      what: 'something was asked for twice',
      lies: { issued: (row) => ({ ...row, issuance: 'rotation_one' }) },
      fault: /^rotation_one was asked for 3 times$/,
    },
    {
      what: 'a key is not the one of its certificate',
      lies: { versions: (row) => ({ ...row, spki: '00'.repeat(32) }) },
      fault: /^version 2 has a key that is another$/,
    },
    {
      what: 'a key is missing',
      lies: { versions: (row) => (row.version === 1 ? { ...row, state: 'retired' } : row) },
      fault: /^versions\/lean\/sandbox\/1 is not in file$/,
    },
    {
      what: 'the store is another than the ledger knows',
      lies: { stores: (row) => ({ ...row, digest: '00'.repeat(32) }) },
      fault: /^the ledger does not know the store$/,
    },
  ])('where $what, the ledger is found out', async ({ lies, fault }) => {
    expect(await examineInstance(instance, NOTHING)).toEqual([]);
    expect(await examineInstance(lying(instance, lies), NOTHING)).toContainEqual(expect.stringMatching(fault));
  });

  test('a task that nobody has done is found', async () => {
    const open = { id: 'task_one', kind: 'revoke', state: 'open' } as const;
    expect(await examineInstance(lying(instance, {}, { tasks: [open] }), NOTHING)).toEqual([
      'task_one (revoke) is open at the end',
    ]);
  });

  test('a record that nobody owns is found', async () => {
    const record = versionRecord('lean/sandbox', 9);
    using octets = SecretBytes.copyOf(Buffer.from('a key that nobody knows'));
    await instance.store.write(record, octets);
    expect(await examineInstance(instance, NOTHING)).toContainEqual(`${record} in file is an orphan`);
    await instance.store.destroy(record);
  });

  test.each<{ what: string; outside: (current: string) => Partial<Outside>; fault: RegExp }>([
    {
      what: 'has handed out what nobody knows',
      outside: () => ({ handedOut: [{ serial: 'beef', revoked: true }] }),
      fault: /^nobody knows the certificate beef$/,
    },
    {
      what: 'accepts what is of no use',
      outside: () => ({ issuedElsewhere: [{ serial: 'beef', revoked: false }] }),
      fault: /^the certificate beef is of no use and not revoked$/,
    },
    {
      what: 'has revoked what is current',
      outside: (serial) => ({ issuedElsewhere: [{ serial, revoked: true }] }),
      fault: /^the certificate [0-9a-f]+ is current and revoked$/,
    },
  ])('a partner that $what is found out', async ({ outside, fault }) => {
    const [current] = await instance.desk.ledger.find('versions', { state: 'current' });
    const faults = await examineInstance(instance, { ...NOTHING, ...outside(current?.serial ?? '') });
    expect(faults).toEqual([expect.stringMatching(fault)]);
  });

  test('an entry that was changed afterwards is found', async () => {
    expect(await wholeFaults(instance)).toEqual([]);
    const changed = (json: string) => json.replace('"rotation.completed"', '"rotation.finished"');
    expect(await wholeFaults(lying(instance, {}, {}, changed))).not.toEqual([]);
  });

  const without = (kind: string) => log.filter((entry) => entry.kind !== kind);
  const promotion = () => log.findIndex(({ kind, version }) => kind === 'version.promoted' && version === 2);
  const first = () => log.find(({ kind, version }) => kind === 'version.issued' && version === 1);

  test.each<{ what: string; doctored: () => Recorded[]; fault: RegExp }>([
    {
      what: 'a version took the place of none',
      doctored: () => log.map((entry) => (entry.kind === 'version.promoted' ? withPrevious(entry, null) : entry)),
      fault: /^version 2 took the place of null, not of 1$/,
    },
    {
      what: 'an import came as current beside another',
      doctored: () => [...log, { kind: 'version.imported', version: 9, data: { state: 'current' } }],
      fault: /^version 9 came as current beside 2$/,
    },
    {
      what: 'a rotation went on after its end',
      doctored: () => [...log, { kind: 'rotation.waits', data: { rotation: endedOf(log) } }],
      fault: / was over, and then came rotation\.waits$/,
    },
    {
      what: 'the old one was revoked unproven',
      doctored: () => without('rotation.canary'),
      fault: / had version 1 revoked before its successor was proven and current$/,
    },
    {
      what: 'the old key was destroyed too early',
      doctored: () => without('version.proven-dead'),
      fault: / destroyed version 1 before its certificate was proven dead$/,
    },
    {
      what: 'the issuer revoked what was current',
      doctored: () =>
        log.toSpliced(promotion(), 0, { kind: 'issuer.revoked', data: { serial: first()?.data['serial'] } }),
      fault: /^the issuer revoked version 1 while it was current$/,
    },
    {
      what: 'a certificate came without an intent',
      doctored: () => without('rotation.csr-intended'),
      fault: /^a certificate for [0-9a-f]{64} came without an intent$/,
    },
  ])('where $what, the log tells', ({ doctored, fault }) => {
    expect(logFaults(log)).toEqual([]);
    expect(logFaults(doctored())).toContainEqual(expect.stringMatching(fault));
  });
});

test('a rotation that halts, and one that never ends, are faults', async () => {
  await using campaign = await RotationCampaign.start({ ...SETTING, maker: 'portal' });
  await campaign.scene.partner.set({ failWith: { status: 400 } });
  expect(await campaign.rotate(wayNamed('portal'), {})).toEqual([expect.stringMatching(/^it halted/)]);
  expect(await campaign.rotate(wayNamed('portal'), {}, 500)).toEqual([expect.stringMatching(/^it never converged/)]);
}, 120_000);

test('steps with bugs in them are found out when their servers are killed', async () => {
  const modules = [new URL('./rotation-kill/victim/planted.ts', import.meta.url).href];
  await using campaign = await RotationCampaign.start({ ...SETTING, modules });
  const faults = await campaign.rotate(wayNamed('local'), { 'make-key:written': 1, 'request:answered': 1 });
  for (const fault of [
    /^versions\/lean\/sandbox\/2 in file is an orphan$/,
    /^rotation_\w+ was asked for 2 times$/,
    /^the certificate [0-9a-f]+ is of no use, and not revoked$/,
    / came without an intent$/,
    / had version 1 revoked before its successor was proven and current$/,
    /^the issuer revoked version 1 while it was current$/,
    / destroyed version 1 before its certificate was proven dead$/,
  ]) {
    expect(faults).toContainEqual(expect.stringMatching(fault));
  }
}, 120_000);

describe('what a person meets', () => {
  const refusing = { upload: async () => ({ ok: false, body: { code: 'key_mismatch' } }), done: async () => null };
  const desk = refusing as unknown as PersonsDesk;
  const shown = (kind: string, serial: string) =>
    ({ state: 'running', found: {}, tasks: [{ id: 'task_one', kind, state: 'open', serial }] }) as unknown as Shown;

  test('an upload that is refused, and a revocation that is asked for too early, are faults', async () => {
    await using partner = await startPartner();
    const person = new Person({ partner, signers: null, onlyNewest: false });
    await person.act(desk, shown('import', ''));
    expect(person.faults).toEqual([expect.stringMatching(/^the upload was refused: .*key_mismatch/)]);
    const { serial } = await partner.portal.generate({ app: 'app', key: 'ec-p256' });
    await person.act(desk, shown('revoke', serial));
    expect(person.faults[1]).toMatch(/^asked to revoke [0-9a-f]+ before the partner had accepted [0-9a-f]+$/);
  });
});

test('a rotation that ended otherwise than it was told to is a fault', () => {
  const shown = { state: 'completed' } as Shown;
  expect(endFaults(wayNamed('local'), shown)).toEqual([]);
  expect(endFaults(wayNamed('local-abort'), shown)).toEqual(['it ended completed, not aborted']);
});

function withPrevious(entry: Recorded, previous: number | null): Recorded {
  return { ...entry, data: { ...entry.data, previous } };
}

function endedOf(log: readonly Recorded[]): unknown {
  return log.find(({ kind }) => kind === 'rotation.completed')?.data['rotation'];
}
