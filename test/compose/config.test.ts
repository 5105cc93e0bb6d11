import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { loadConfig, parseConfig } from '../../src/compose/config.ts';
import { KeyturnError } from '../../src/core/errors.ts';
import { emptyHome } from './home.ts';

type Document = Record<string, unknown>;

const GOOD: Document = {
  listen: { host: '127.0.0.1', port: 8443, names: ['keyturn.internal', '10.0.0.7'] },
  certificate: { ca: 'listener/ca.crt' },
  log: { origin: 'keyturn.example/log' },
  ledger: { path: 'ledger/ledger.db' },
  journal: { path: '/journal/freeze.journal' },
  checkpoint: { path: '/mnt/elsewhere/checkpoint' },
  keystore: { path: 'keys/keys.ktn', 'master-key': { file: 'master/master.key' } },
  policies: { access: 'policies/access', partners: 'policies/partners' },
  socket: { path: 'run/keyturn.sock' },
  leases: { default: '15m', maximum: '1h' },
};

function read(document: unknown) {
  return parseConfig('/home/kt', stringify(document), '/home/kt/keyturn.yaml');
}

/** GOOD with one member replaced, or left out for undefined. */
function changed(path: string, value: unknown, whole = GOOD): Document {
  const copy = parse(stringify(whole)) as Document;
  const names = path.split('.');
  const last = names.pop() ?? '';
  const parent = names.reduce<Document>((at, name) => at[name] as Document, copy);
  if (value === undefined) delete parent[last];
  else parent[last] = value;
  return copy;
}

function refusal(document: unknown): KeyturnError {
  try {
    read(document);
  } catch (error) {
    if (error instanceof KeyturnError) return error;
    throw error;
  }
  throw new Error('It was accepted.');
}

test('paths are made absolute from the home, durations become seconds', () => {
  expect(read(GOOD)).toMatchObject({
    home: '/home/kt',
    ledger: { path: '/home/kt/ledger/ledger.db' },
    journal: '/journal/freeze.journal',
    masterKey: { file: '/home/kt/master/master.key' },
    socket: '/home/kt/run/keyturn.sock',
    leases: { defaultSeconds: 900, maximumSeconds: 3_600 },
    urls: null,
  });
});

test.each([
  [undefined, 5],
  [{ seconds: 1 }, 1],
  [{ seconds: 60 }, 60],
  ['off', null],
])('a cache of %j keeps records so long', (cache, seconds) => {
  expect(read(changed('cache', cache)).cacheSeconds).toBe(seconds);
});

test('leases and most of listen have defaults', () => {
  const { leases, ...rest } = GOOD;
  expect(leases).toBeDefined();
  expect(read({ ...rest, listen: {} })).toMatchObject({
    listen: { host: '127.0.0.1', port: 8443, names: ['localhost', '127.0.0.1'] },
    leases: { defaultSeconds: 900, maximumSeconds: 3_600 },
  });
});

test.each([
  [{ passphrase: 'prompt' }, { passphrase: 'prompt' }],
  [{ 'passphrase-file': 'secret' }, { 'passphrase-file': '/home/kt/secret' }],
  [{ 'systemd-credential': 'keyturn.master' }, { 'systemd-credential': 'keyturn.master' }],
])('the master key %o', (given, parsed) => {
  expect(read(changed('keystore.master-key', given)).masterKey).toEqual(parsed);
});

test('the operator’s own certificate files stand in for our CA', () => {
  const own = { certificate: 'a.crt', key: 'a.key', 'client-ca': '/etc/ca.crt' };
  const parsed = { certificate: '/home/kt/a.crt', key: '/home/kt/a.key', clientCa: '/etc/ca.crt' };
  expect(read(changed('certificate', own)).certificate).toEqual(parsed);
});

test.each([
  ['listen.port', 65_536],
  ['listen.host', '127.0.0.1:8443'],
  ['listen.host', '$HOST'],
  ['listen.host', ''],
  ['listen.port', '8443'],
  ['listen.names', []],
  ['listen.names', ['https://keyturn.internal']],
  ['listen.names', ['*.internal']],
  ['urls', ['http://keyturn.internal']],
  ['certificate', { ca: 'a', key: 'b' }],
  ['certificate', { certificate: 'a', key: 'b' }],
  ['log.origin', 'with space'],
  ['log.origin', 'with+plus'],
  ['log.origin', undefined],
  ['ledger', { path: '' }],
  ['ledger', { path: 'ledger/ledger.db', postgres: { host: 'db', database: 'k', user: 'k' } }],
  ['ledger', { postgres: { host: 'db', database: 'k', user: 'k', password: 'not here' } }],
  ['journal', undefined],
  ['checkpoint.path', 7],
  ['keystore.master-key', { passphrase: 'the passphrase itself' }],
  ['keystore.master-key', { file: 'a', passphrase: 'prompt' }],
  ['keystore.master-key', { 'systemd-credential': '../etc/shadow' }],
  ['policies.access', undefined],
  ['socket.path', `run/${'x'.repeat(107)}`],
  ['journal.path', 'ledger/ledger.db'],
  ['checkpoint.path', './ledger/../ledger/ledger.db'],
  ['leases.default', '15'],
  ['cache', { seconds: 0 }],
  ['cache', { seconds: 61 }],
  ['cache', 'on'],
  ['leases', { default: '2h', maximum: '1h' }],
  // Dates that it leads to would be none.
  ['leases.maximum', '999999999w'],
])('a wrong %s (%j) is named, and never quoted', (path, value) => {
  const error = refusal(changed(path, value));
  expect(error).toMatchObject({ code: 'config_invalid', fix: expect.stringMatching(/\S/) });
  expect(error.message).toContain(`/home/kt/keyturn.yaml: ${path.split('.').slice(0, 2).join('.')}`);
  expect(error.message).not.toContain('the passphrase itself');
});

test.each([
  ['leases.default', 900],
  ['leases.default', '15'],
  ['leases.maximum', '1 h'],
  ['rotation.max-age', 30],
  ['rotation.longest-request', '1y'],
  ['issuers.house.maximum', '90'],
  ['issuers.house.list', 90],
  ['notify.webhook.timeout', 10],
])('%s as %j is no duration, which is said in one way, with examples', (path, value) => {
  const house = { kind: 'local' };
  const webhook = { url: 'https://a.example/', 'secret-file': 'secret' };
  const document = { ...GOOD, rotation: {}, issuers: { house }, notify: { webhook } };
  const { message } = refusal(changed(path, value, document));
  expect(message).toBe(`/home/kt/keyturn.yaml: ${path}: must be a duration such as 30s, 5m, 2h or 30d.`);
});

test('a time-out of more than a minute says what is allowed', () => {
  const webhook = { url: 'https://a.example/', 'secret-file': 'secret', timeout: '2m' };
  expect(refusal({ ...GOOD, notify: { webhook } }).message).toContain(
    'notify.webhook.timeout: must be a minute at most',
  );
});

test.each(['listen', 'log', 'ledger', 'keystore', 'leases'])('an unknown member in %s is refused', (member) => {
  expect(refusal(changed(`${member}.typo`, 1)).message).toContain('typo');
  expect(refusal({ ...GOOD, typo: 1 }).code).toBe('config_invalid');
});

test('any text is a configuration or config_invalid', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.jsonValue().map((value) => stringify(value)),
      ),
      (text) => {
        try {
          parseConfig('/home/kt', text, 'file');
        } catch (error) {
          expect(error).toMatchObject({ code: 'config_invalid' });
        }
      },
    ),
  );
});

test('a home without a configuration names init', async () => {
  await expect(loadConfig('/nowhere')).rejects.toMatchObject({
    code: 'config_invalid',
    message: "/nowhere/keyturn.yaml can't be read (there is no such file).",
    fix: expect.stringContaining('keyturn init --home /nowhere'),
  });
});

test('a configuration that is there and can’t be read asks for no second instance', async () => {
  await using home = await emptyHome();
  await mkdir(join(home.path, 'keyturn.yaml'), { recursive: true });
  const error = await loadConfig(home.path).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({
    code: 'config_invalid',
    message: expect.stringMatching(/keyturn\.yaml can't be read \(/),
  });
  expect((error as KeyturnError).fix).not.toContain('init');
});

test('a text that is no YAML is told by its line, and none of it is quoted', () => {
  const parsed = (text: string) => {
    try {
      return parseConfig('/home/kt', text, 'keyturn.yaml');
    } catch (error) {
      return error;
    }
  };
  expect(parsed('listen: {}\nleases: {}\nleases: {}\n')).toMatchObject({
    code: 'config_invalid',
    message: 'keyturn.yaml, line 3: a member is given twice.',
  });
  const broken = parsed('listen:\n  host: "geheim\n');
  expect(broken).toMatchObject({
    code: 'config_invalid',
    message: expect.stringMatching(/line \d+: this is not valid YAML/),
  });
  expect(String(broken)).not.toContain('geheim');
  const tagged = parsed('listen:\n  host: !env HOST\n');
  expect(tagged).toMatchObject({ message: 'keyturn.yaml, line 2: this is not valid YAML (TAG_RESOLVE_FAILED).' });
});
