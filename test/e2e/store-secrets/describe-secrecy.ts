import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isKeyturnError, KeyturnError } from '../../../src/core/errors.ts';
import { startPartner } from '../../fakes/partner/partner.ts';
import { filesUnder } from '../canary/files.ts';
import { everythingOf } from '../canary/search/everything.ts';
import { Searcher, told } from '../canary/search/searcher.ts';
import { Planted, strayKey } from '../canary/story/planted.ts';
import { readAll } from '../canary/story/story.ts';
import { Tap } from '../canary/story/tap.ts';
import { TestInstance } from '../instance.ts';
import type { RemoteStore } from '../stores/remote-store.ts';
import { adoptWrongly } from './adopt.ts';
import { backUpWrongly, plantIdentity, restoreWrongly } from './backup.ts';
import { type Cast, furnish } from './cast.ts';
import { useTheCli } from './commands.ts';
import { moveWrongly } from './move.ts';

/** Files that hold a secret because somebody put it there, and which. */
const OWN: Readonly<Record<string, string>> = {
  'master/master.key': 'master key',
  'admin/token': 'administrator’s token',
  'vault.token': 'vault token',
};

/** Adoption, moves, backup and restore, all of which fail in every way before they are done; and no secret shows. */
export function describeSecrecy(startRemote: () => Promise<RemoteStore>): void {
  const before = process.env['TMPDIR'];
  const codes: Record<string, Set<unknown>> = {};
  let [folder, place, printed] = ['', '', ''];
  let cast: Cast;
  let searcher: Searcher;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'store-secrets-'));
    place = await mkdtemp(join(tmpdir(), 'kt-elsewhere-'));
    const remote = await startRemote();
    process.env['TMPDIR'] = folder;
    const [partner, keyturn, planted] = [await startPartner(), await TestInstance.start(), new Planted()];
    cast = { keyturn, tap: new Tap(keyturn), planted, partner, remote, thrown: [] };
    planted.key('stray key', strayKey());
    await planted.of(keyturn);
    const recipient = await plantIdentity(place, cast);
    await furnish(cast, recipient);
    codes['adopt'] = await adoptWrongly(cast);
    codes['move'] = await moveWrongly(cast);
    await backUpWrongly(cast, place, recipient);
    codes['restore'] = await restoreWrongly(cast, place);
    printed = await useTheCli(cast, place, recipient);
    await readAll(cast.tap);
    searcher = new Searcher([...planted.canaries, ...remote.canaries]);
  }, 180_000);

  afterAll(async () => {
    await cast.keyturn.stop();
    await cast.partner.stop();
    await cast.remote[Symbol.asyncDispose]();
    for (const each of [folder, place]) await rm(each, { recursive: true, force: true });
    if (before === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = before;
  });

  const inOctets = (octets: Buffer | string) => told(searcher.find(octets));

  async function inFiles(below: string): Promise<string[]> {
    return [...(await filesUnder(below))].flatMap(([path, content]) =>
      told(searcher.find(content).filter(({ canary }) => OWN[path] !== canary)).map((each) => `${path}: ${each}`),
    );
  }

  const inAnswers = (operation: string) => inOctets(cast.tap.octets((each) => each.operation.endsWith(operation)));

  const SURFACES: Readonly<
    Record<string, { find: () => string[] | Promise<string[]>; leak: (text: string) => unknown }>
  > = {
    'the files of the instance': {
      find: () => inFiles(cast.keyturn.home),
      leak: (text) => writeFile(join(cast.keyturn.home, 'ledger', 'ledger.db-journal'), text),
    },
    'the restored instance': {
      find: () => inFiles(join(place, 'restored')),
      leak: (text) => writeFile(join(place, 'restored', 'keys', 'old'), text),
    },
    'a backup': {
      find: async () => inFiles(join(place)).then((found) => found.filter((each) => /^\w+\.backup/.test(each))),
      leak: (text) => writeFile(join(place, 'three.backup'), text),
    },
    'the folder for temporary files': {
      find: async () => (await inFiles(folder)).filter((each) => !each.startsWith('keyturn-')),
      leak: async (text) => {
        await mkdir(join(folder, 'unpacked'));
        await writeFile(join(folder, 'unpacked', 'keystore'), text);
      },
    },
    'the server’s log': {
      find: () => inOctets(cast.keyturn.log.join('')),
      leak: (text) => cast.keyturn.log.push(text),
    },
    'every answer': {
      find: () => inOctets(cast.tap.octets()),
      leak: (text) => cast.tap.answers.push({ operation: 'x', status: 500, octets: Buffer.from(text) }),
    },
    '/metrics': {
      find: () => inAnswers('/metrics'),
      leak: (text) => cast.tap.answers.push({ operation: 'GET /metrics', status: 200, octets: Buffer.from(text) }),
    },
    'the audit log': {
      find: () => [...inAnswers('/v1/audit/export'), ...inAnswers('/v1/audit/entries')],
      leak: async (text) => {
        const json = { target: 'host', subject: '192.0.2.1', reason: text.slice(0, 64) };
        await cast.tap.call('POST', '/v1/holds', { json });
        await cast.tap.call('GET', '/v1/audit/export');
      },
    },
    'what commands print': {
      find: () => inOctets(printed),
      leak: (text) => {
        printed += text;
      },
    },
    'errors thrown inside': {
      find: () => inOctets(Buffer.concat(cast.thrown.map(everythingOf))),
      leak: (text) => cast.thrown.push(new KeyturnError('internal', 'x', { cause: new Error('y', { cause: text }) })),
    },
  };

  test.each(Object.keys(SURFACES))('nothing secret shows in %s', async (name) => {
    expect(await SURFACES[name]?.find()).toEqual([]);
  });

  test('all of it failed in many ways, and was done in the end', async () => {
    const { tap, keyturn, thrown, remote } = cast;
    const expected = {
      adopt: ['keystore_unavailable', 'key_unreadable', 'key_password_wrong', 'key_mismatch', 'not_found'],
      move: ['keystore_unavailable'],
      restore: ['backup_identity_wrong', 'backup_invalid', 'master_key_wrong', 'audit_invalid', 'loss_not_accepted'],
    };
    for (const [what, some] of Object.entries(expected)) {
      expect([...(codes[what] ?? [])], what).toEqual(expect.arrayContaining(some));
    }
    expect(thrown.filter((error) => isKeyturnError(error)).length).toBeGreaterThan(30);
    for (const kind of ['version.adopt-intended', 'store.moved', 'store.copy-destroyed', 'backup.taken']) {
      expect((await keyturn.entries(kind)).length, kind).toBeGreaterThan(0);
    }
    expect(new Set(tap.answers.map(({ status }) => status)).size).toBeGreaterThan(6);
    expect(await readdir(join(place, 'restored'))).toContain('keyturn.yaml');
    for (const word of ['adopt 1', 'store', 'backup 0', 'restore 1', remote.kind]) expect(printed).toContain(word);
  });

  describe('a leak is found', () => {
    test.each(Object.keys(SURFACES))('in %s', async (name) => {
      const found = await SURFACES[name]?.find();
      const { d } = cast.planted.key('stray key', cast.planted.pem('stray key')).export({ format: 'jwk' });
      await SURFACES[name]?.leak(Buffer.from(String(d), 'base64url').toString('base64'));
      expect(await SURFACES[name]?.find()).not.toEqual(found);
    });
  });
}
