import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { Agent } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { KeyturnError } from '../../src/core/errors.ts';
import { SecretBytes } from '../../src/core/secret-bytes.ts';
import { describeApi } from '../../src/server/http/openapi.ts';
import type { Route } from '../../src/server/http/route.ts';
import { ServerLog } from '../../src/server/log/server-log.ts';
import { Metrics } from '../../src/server/metrics.ts';
import { readUpload } from '../../src/x509/upload.ts';
import { type Partner, startPartner } from '../fakes/partner/partner.ts';
import { filesUnder } from './canary/files.ts';
import { secretHolders } from './canary/objects.ts';
import { everythingOf } from './canary/search/everything.ts';
import { Searcher, told } from './canary/search/searcher.ts';
import { Planted, strayKey } from './canary/story/planted.ts';
import { readAll, tellStory } from './canary/story/story.ts';
import { Tap } from './canary/story/tap.ts';
import { askWrongly, operationsOf } from './canary/story/wrong-requests.ts';
import { uploadWrongly, wrongFiles } from './canary/story/wrong-uploads.ts';
import { TestInstance } from './instance.ts';

/** The one file beside the key store that may hold a secret, and which. */
const ALLOWED: Readonly<Record<string, string>> = {
  'master/master.key': 'master key',
  'admin/token': 'administrator’s token',
};

/** Each of the ways in which an upload is refused is gone. */
const REFUSALS = [
  'archive_rejected',
  'certificate_unreadable',
  'invalid_input',
  'key_mismatch',
  'key_password_required',
  'key_password_wrong',
  'key_unreadable',
  'payload_too_large',
  'unsupported_media_type',
];

const before = process.env['TMPDIR'];
const planted = new Planted();
const metrics = new Metrics();
const errors: unknown[] = [];
const routes: Route[] = [];
let folder: string;
let partner: Partner;
let keyturn: TestInstance;
let tap: Tap;
let holders: Record<string, unknown>;
let searcher: Searcher;
let refusedWith: Set<unknown>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'canary-'));
  process.env['TMPDIR'] = folder;
  partner = await startPartner();
  keyturn = await TestInstance.start();
  tap = new Tap(keyturn);
  planted.key('stray key', strayKey());
  await planted.of(keyturn);
  await keyturn.meet(partner);
  await tellStory({ keyturn, tap, planted, partner });
  refusedWith = await uploadWrongly(tap, planted, partner);
  await askWrongly(tap, planted, await operationsOf(tap));
  await readAll(tap);
  errors.push(...(await refusals()));
  holders = await secretHolders(keyturn, planted);
  searcher = new Searcher(planted.canaries);
});

afterAll(async () => {
  await keyturn.stop();
  await partner.stop();
  await rm(folder, { recursive: true, force: true });
  if (before === undefined) delete process.env['TMPDIR'];
  else process.env['TMPDIR'] = before;
});

/** What is thrown inside, causes and all, before a problem document leaves most of it out. */
async function refusals(): Promise<unknown[]> {
  const files = wrongFiles(planted, partner, await partner.portal.generate());
  const refused = Object.values(files).map((each) => {
    const { password, ...rest } = each;
    const uploaded = Object.entries(rest).map(([name, bytes]) => ({ name, bytes }));
    return readUpload(uploaded, password === undefined ? undefined : SecretBytes.copyOf(password));
  });
  return (await Promise.allSettled(refused)).map((each) => (each.status === 'rejected' ? each.reason : null));
}

async function inFiles(below: string): Promise<string[]> {
  const files = await filesUnder(below);
  return [...files].flatMap(([path, content]) =>
    told(searcher.find(content).filter(({ canary }) => ALLOWED[path] !== canary)).map((each) => `${path}: ${each}`),
  );
}

function inOctets(octets: Buffer | string): string[] {
  return told(searcher.find(octets));
}

function inAnswers(operation: string): string[] {
  return inOctets(tap.octets((tapped) => tapped.operation.endsWith(operation)));
}

interface Surface {
  readonly find: () => Promise<string[]> | string[];
  /** Gives a secret away there. */
  readonly leak: (text: string) => unknown;
}

/** Whoever freezes writes what they like into the reason: the one way for a secret into the log that no code can close. */
const asReason = (text: string) =>
  tap.call('POST', '/v1/holds', { json: { target: 'host', subject: '192.0.2.1', reason: text.slice(0, 64) } });
const asFile = (path: string) => (text: string) => writeFile(join(keyturn.home, path), text);
const then = (path: string) => async (text: string) => [await asReason(text), await tap.call('GET', path)];

const SURFACES: Readonly<Record<string, Surface>> = {
  'the files of the instance, its key store included': {
    find: () => inFiles(keyturn.home),
    leak: asFile('keys/old.tmp'),
  },
  'the ledger and its write-ahead log': { find: () => inFiles(join(keyturn.home, 'ledger')), leak: asReason },
  'the emergency journal': {
    find: () => inFiles(join(keyturn.home, 'journal')),
    leak: asFile('journal/freeze.journal.old'),
  },
  'the checkpoint outside': { find: () => inFiles(join(keyturn.home, 'checkpoint')), leak: asFile('checkpoint/note') },
  'the folder for temporary files': {
    find: async () => (await inFiles(folder)).filter((each) => !/^keyturn-[^/]+\/(?:master|admin)\//.test(each)),
    leak: async (text) => {
      await mkdir(join(folder, 'unpacked'));
      await writeFile(join(folder, 'unpacked', 'my_app_private_key.pem'), text);
    },
  },
  'the server’s log': {
    find: () => inOctets(keyturn.log.join('')),
    leak: (text) => {
      const write = (chunk: Buffer, _encoding: string, done: () => void) => {
        keyturn.log.push(chunk.toString('utf8'));
        done();
      };
      new ServerLog({ destination: new Writable({ write }) }).fault('request_1', new KeyturnError('internal', text));
    },
  },
  'every answer': { find: () => inOctets(tap.octets()), leak: then('/v1/holds') },
  'every problem document': {
    find: () => inOctets(tap.octets(({ status }) => status >= 400)),
    // A file’s name stands in the message: what uploads it called it so.
    leak: () => tap.import('lean/sandbox', { [privateNumber().toString('hex').slice(0, 80)]: Buffer.from('x') }),
  },
  '/metrics': {
    find: async () => [...inAnswers('/metrics'), ...inOctets(await metrics.registry.metrics())],
    leak: (text) => metrics.access.inc({ operation: text, outcome: 'ok' }),
  },
  '/openapi.json': {
    find: () => [...inAnswers('/openapi.json'), ...inOctets(String(describeApi(routes, '1')))],
    leak: (summary) => {
      const success = { status: 200, description: summary };
      const route = { id: 'x', method: 'get', path: '/x', summary, auth: 'none', body: { kind: 'none' } } as const;
      routes.push({ ...route, success, problems: [], handle: async () => ({ status: 204 }) });
    },
  },
  'the audit export': { find: () => inAnswers('/v1/audit/export'), leak: then('/v1/audit/export') },
  'audit entries': { find: () => inAnswers('/v1/audit/entries'), leak: then('/v1/audit/entries?limit=1000') },
  'errors thrown inside': {
    find: () => inOctets(Buffer.concat(errors.map(everythingOf))),
    leak: (text) =>
      errors.push(new KeyturnError('internal', 'It failed.', { cause: new Error('why', { cause: text }) })),
  },
};

function privateNumber(): Buffer {
  return Buffer.from(
    String(planted.key('stray key', planted.pem('stray key')).export({ format: 'jwk' }).d),
    'base64url',
  );
}

describe('nothing secret shows', () => {
  test.each(Object.keys(SURFACES))('in %s', async (name) => {
    expect(await SURFACES[name]?.find()).toEqual([]);
  });

  test('in any object of the server’s side that holds a secret, however it is written out', () => {
    for (const [name, holder] of Object.entries(holders)) {
      expect([name, inOctets(everythingOf(holder))]).toEqual([name, []]);
    }
  });
});

test('the surfaces are the live ones: what is public of the keys stands in them', async () => {
  const spkis = (await keyturn.serving.instance.desk.ledger.find('versions', {})).map(({ spki }) => spki);
  expect(spkis).toHaveLength(2);
  const ledger = await filesUnder(join(keyturn.home, 'ledger'));
  expect([...ledger.keys()].sort()).toEqual(expect.arrayContaining(['ledger.db', 'ledger.db-wal']));
  const surfaces = [Buffer.concat([...ledger.values()]), tap.octets(({ operation }) => operation.endsWith('/export'))];
  for (const surface of [...surfaces, tap.octets()]) {
    for (const spki of spkis) expect(surface.includes(spki)).toBe(true);
  }
  expect(new Set(tap.answers.map(({ status }) => status)).size).toBeGreaterThan(8);
  for (const code of REFUSALS) expect(refusedWith).toContain(code);
  expect(keyturn.log.length).toBeGreaterThan(300);
  expect(errors.filter((error) => error instanceof KeyturnError).length).toBeGreaterThan(10);
});

describe('a leak is found', () => {
  test.each(Object.keys(SURFACES))('in %s', async (name) => {
    const found = await SURFACES[name]?.find();
    await SURFACES[name]?.leak(privateNumber().toString('base64'));
    expect(await SURFACES[name]?.find()).not.toEqual(found);
  });

  test('in any object, at any depth', () => {
    const key = planted.pem('stray key');
    const bytes = privateNumber();
    const holding = [
      new Agent({ key }),
      { a: { b: [{ bytes }] } },
      new Map([[1, bytes]]),
      new Error('x', { cause: key }),
    ];
    class Hidden {
      readonly #key = bytes;
      get key() {
        return this.#key;
      }
    }
    for (const each of [...holding, Object.defineProperty({}, 'key', { value: bytes }), new Hidden(), [bytes]]) {
      expect(inOctets(everythingOf(each))).not.toEqual([]);
    }
  });
});
