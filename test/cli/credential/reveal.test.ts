import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { LogSigner } from '../../../src/audit/checkpoint.ts';
import { AnswerOpener } from '../../../src/sealed/answer.ts';
import type { TestInstance } from '../../e2e/instance.ts';
import { type Issued, TestCa } from '../../fakes/ca.ts';
import { type Keyturn, served } from '../keyturn.ts';
import { imported } from '../upload.ts';

let keyturn: Keyturn;
let instance: TestInstance;
let stop: () => Promise<void>;
let issued: Issued;

beforeAll(async () => {
  ({ keyturn, instance, stop } = await served());
  issued = await imported(keyturn, instance, await TestCa.create());
});

afterAll(() => stop());

const REVEAL = ['reveal', 'lean/sandbox', '1', '--reason', 'move to the new HSM'] as const;

test('no shipped role reveals: the administrator is refused, and no file is left', async () => {
  const refusal = await keyturn.refusal([...REVEAL, '--out', 'key.pem']);
  expect(refusal).toMatchObject({ exit: 3, code: 'permission_denied' });
  expect(existsSync(keyturn.path('key.pem'))).toBe(false);
});

test('with a role of one’s own the key goes to a new file of mode 0600, and the reveal is on the log', async () => {
  const roles = { roles: [{ name: 'revealer', title: 'Moves keys', permissions: ['credential:reveal'] }] };
  await writeFile(join(instance.home, 'policies', 'access', 'own-roles.yaml'), stringify(roles));
  await instance.grant('person:alice', 'revealer');

  const ran = await keyturn.run([...REVEAL, '--out', 'key.pem']);
  expect(ran).toMatchObject({
    code: 0,
    out: expect.stringContaining('key.pem'),
    err: expect.stringContaining('no lease'),
  });
  const pem = await readFile(keyturn.path('key.pem'), 'utf8');
  expect((await stat(keyturn.path('key.pem'))).mode & 0o777).toBe(0o600);
  expect(createPublicKey(createPrivateKey(pem)).equals(createPublicKey(issued.privateKey))).toBe(true);
  expect(await instance.entries('key.revealed')).toMatchObject([{ data: { reason: 'move to the new HSM' } }]);
});

test('a key whose reveal is not shown to be on the log is not written', async () => {
  const connection = JSON.parse(await readFile(join(instance.home, 'admin', 'connection.json'), 'utf8'));
  const { vkey } = LogSigner.create(connection.log.origin, generateKeyPairSync('ed25519').privateKey);
  const log = { ...connection.log, keys: [vkey] };
  await keyturn.write('other-log.json', JSON.stringify({ ...connection, log }));
  const refusal = await keyturn.refusal([...REVEAL, '--out', 'unproven.pem', '--connection', 'other-log.json']);
  expect(refusal).toMatchObject({ code: 'receipt_invalid' });
  expect(existsSync(keyturn.path('unproven.pem'))).toBe(false);
});

type Body = Record<string, unknown>;

/** Somebody whose certificate the command trusts, between it and the server. */
interface Between {
  readonly asks?: (body: Body) => Body;
  readonly answers?: (body: Body) => Body;
}

async function throughSomebody({ asks = same, answers = same }: Between, out: string): Promise<{ code: string }> {
  const ca = await TestCa.create();
  const identity = await ca.server();
  const server = createServer({ key: identity.keyPem, cert: identity.certificatePem }, async (request, response) => {
    const body = asks((await json(request)) as Body);
    const reply = await instance.call(request.method ?? '', request.url ?? '', { json: body });
    response.writeHead(reply.status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(answers(reply.body)));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const connection = JSON.parse(await readFile(join(instance.home, 'admin', 'connection.json'), 'utf8'));
  const servers = [`https://localhost:${(server.address() as AddressInfo).port}`];
  await keyturn.write('between.json', JSON.stringify({ ...connection, servers, ca: ca.certificatePem }));
  const refusal = await keyturn.refusal([...REVEAL, '--out', out, '--connection', 'between.json']);
  server.close();
  return refusal;
}

const same = (body: Body): Body => body;

test('nor one whose receipt is of another reveal, or of one to somebody else', async () => {
  const { publicKey } = AnswerOpener.generate();
  const { body: before } = await instance.call('POST', '/v1/credentials/lean%2Fsandbox/versions/1/reveal', {
    json: { reason: 'before', hpkePublicKey: publicKey },
  });
  const between: Record<string, Between> = {
    'again.pem': { answers: (answer) => ({ ...answer, receipt: before['receipt'] }) },
    'elsewhere.pem': { asks: (body) => ({ ...body, hpkePublicKey: publicKey }) },
  };
  for (const [out, each] of Object.entries(between)) {
    expect(await throughSomebody(each, out)).toMatchObject({ code: 'receipt_invalid' });
    expect(existsSync(keyturn.path(out))).toBe(false);
  }
});

test('a file that exists is not overwritten, and then nothing is revealed at all', async () => {
  await keyturn.write('taken.pem', 'mine');
  expect(await keyturn.refusal([...REVEAL, '--out', 'taken.pem'])).toMatchObject({ exit: 5, code: 'conflict' });
  expect(await readFile(keyturn.path('taken.pem'), 'utf8')).toBe('mine');
  expect(await instance.entries('key.revealed')).toHaveLength(5);
});

test.each([
  ['no reason', ['reveal', 'lean/sandbox', '1', '--out', 'k.pem']],
  ['no file', [...REVEAL]],
  ['a key as a JSON document', [...REVEAL, '--out', '-']],
])('%s is refused before anything is asked for', async (_, args) => {
  expect(await keyturn.refusal(args)).toMatchObject({
    exit: 2,
    code: 'invalid_input',
    fix: expect.stringMatching(/\S/),
  });
  expect(await instance.entries('key.revealed')).toHaveLength(5);
});
