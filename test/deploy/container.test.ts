import { readFile } from 'node:fs/promises';
import { request } from 'node:https';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connect } from '../../src/client/index.ts';
import { TestCa } from '../fakes/ca.ts';
import { jsonOf, stages } from './dockerfile.ts';
import { Installed, type Running } from './installed.ts';

/** Where the image has the package. */
const IN_IMAGE = '/opt/keyturn';

let installed: Installed;
/** The image's own way to start, with the package where it is installed here. */
let entry: string[];
let before: string[];
let running: Running;

beforeAll(async () => {
  installed = new Installed();
  before = installed.listing();
  entry = jsonOf('ENTRYPOINT')
    .slice(1)
    .map((word) => word.replace(IN_IMAGE, installed.root));
  const made = await installed.run([...entry, 'init', '--admin', 'alice', '--port', '0']);
  if (made.code !== 0) throw new Error(made.err);
  running = await installed.serve([...entry, ...jsonOf('CMD')]);
}, 180_000);

afterAll(async () => {
  await running?.stop();
  installed?.[Symbol.dispose]();
});

const home = (path: string) => join(installed.state, 'home', path);

async function get(path: string): Promise<{ status: number; body: string }> {
  const ca = await readFile(home('listener/ca.crt'), 'utf8');
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; body: string }>();
  request(new URL(path, running.url), { ca, agent: false }, (response) => {
    text(response).then((body) => resolve({ status: response.statusCode ?? 0, body }), reject);
  })
    .on('error', reject)
    .end();
  return promise;
}

test('the image’s command serves from the built package alone, as a user who can’t write there', async () => {
  expect(await get('/livez')).toMatchObject({ status: 200 });
  expect(await get('/readyz')).toMatchObject({ status: 200 });
  const status = await readFile(`/proc/${running.pid}/status`, 'utf8');
  const uid = /^Uid:\s+(\d+)/m.exec(status)?.[1];
  expect(uid).not.toBe('0');
});

test('under its flags a key is imported and lent to the client library', async () => {
  const ca = await TestCa.create();
  const { keyPem, certificatePem } = await ca.client();
  const credential = 'lean/sandbox';
  const upload = join(installed.state, 'all.pem');
  await installed.run([
    '-e',
    'fs.writeFileSync(process.argv[1], process.argv[2])',
    upload,
    keyPem + certificatePem + ca.certificatePem,
  ]);
  const keyturn = (...args: string[]) => installed.run([...entry, ...args]);
  expect(await keyturn('import', credential, '--pem', upload, '--environment', 'sandbox')).toMatchObject({ code: 0 });
  const bindings = home('policies/access/bindings.yaml');
  const binding = '  - {id: p, role: service, principals: [service:p], credentials: [lean/*], comment: test}\n';
  await installed.run(['-e', 'fs.appendFileSync(process.argv[1], process.argv[2])', bindings, binding]);
  expect(await keyturn('policy', 'reload')).toMatchObject({ code: 0 });
  expect(await keyturn('token', 'create', 'service:p', '--out', 'p', '--ttl', '1h')).toMatchObject({ code: 0 });
  const at = (name: string) => join(installed.state, name);
  await using client = await connect({ connection: at('p.connection.json'), token: at('p.token') });
  await client.credential(credential);
  expect((await keyturn('audit', 'query', '--credential', credential, '--json')).out).toContain('lease.granted');
});

test('doctor finds the flags in force', async () => {
  const { out } = await installed.run([...entry, 'doctor', '--json']);
  const checks = (JSON.parse(out) as { checks: { name: string; verdict: string }[] }).checks;
  expect(checks).toContainEqual(expect.objectContaining({ name: 'server’s secure heap', verdict: 'ok' }));
  expect(checks.filter(({ verdict }) => verdict === 'broken')).toEqual([]);
});

test('SIGTERM ends it in good order, and nothing in the package was changed', async () => {
  expect(await running.stop()).toEqual([0, null]);
  expect(installed.listing()).toEqual(before);
});

test('the package has no source, and its dependencies are whole', async () => {
  const files = before.map((line) => line.split(' ')[0] ?? '').filter((path) => !path.startsWith('node_modules'));
  expect(files.filter((path) => path.endsWith('.ts') || path.startsWith('test'))).toEqual([]);
  for (const path of ['bin/keyturn.mjs', 'lib/cli/main.js', 'policies/partners/lean.yaml', 'npm-shrinkwrap.json']) {
    expect(files).toContain(path);
  }
});

test('the image’s last stage takes only the package, runs no shell, and as a user with a number', () => {
  const [last] = stages().slice(-1);
  const copied = last?.filter(({ name }) => name === 'COPY' || name === 'ADD').map(({ value }) => value);
  expect(copied).toEqual([`--from=build /build/dist/server ${IN_IMAGE}`]);
  expect(last?.filter(({ name }) => name === 'RUN')).toEqual([]);
  expect(last?.find(({ name }) => name === 'USER')?.value).toMatch(/^[1-9]\d*:[1-9]\d*$/);
});
