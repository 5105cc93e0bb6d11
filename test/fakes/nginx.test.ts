import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { connect } from 'node:net';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { daysFromNow, type Issued, type KeyKind, TestCa } from './ca.ts';
import { agentFor, call, failure, type Identity } from './call.ts';
import { type NginxOptions, parseNginxAnswer, startNginx } from './nginx.ts';
import { type Folder, folderWith, run } from './programs.ts';

let root: TestCa;
let ca: TestCa;
let server: Issued;
beforeAll(async () => {
  root = await TestCa.create();
  ca = await root.child();
  server = await ca.server();
});

function start(more: Partial<NginxOptions> = {}) {
  const serverCert = { keyPem: server.keyPem, certificatePem: server.certificatePem + ca.certificatePem };
  return startNginx({ serverCert, clientCaPem: ca.chainPem, ...more });
}

async function crls(): Promise<string> {
  return (await ca.crlPem()) + (await root.crlPem());
}

describe.each(['TLSv1.2', 'TLSv1.3'] as const)('over %s', (tls) => {
  test.each<KeyKind>(['rsa-2048', 'ec-p256'])('a good %s certificate is seen as itself', async (key) => {
    await using nginx = await start({ tls: [tls] });
    const identity = await ca.client({ key });
    const answer = parseNginxAnswer((await call(nginx.url, { ca: ca.chainPem, identity })).body);
    expect(answer).toMatchObject({ serial: identity.serial, verify: 'SUCCESS', resumed: false, protocol: tls });
  });

  test('a bad certificate gets through the handshake and then HTTP 400', async () => {
    const revoked = await ca.client();
    ca.revoke(revoked);
    await using nginx = await start({ tls: [tls], crlPem: await crls() });
    const bad = {
      expired: await ca.client({ notAfter: daysFromNow(-0.5) }),
      revoked,
      'no clientAuth': await ca.client({ usages: ['serverAuth'] }),
      'unknown CA': await (await TestCa.create('Another')).client(),
      none: undefined,
    };
    for (const [cause, identity] of Object.entries(bad)) {
      const answer = await call(nginx.url, { ca: ca.chainPem, ...(identity === undefined ? {} : { identity }) });
      expect([cause, answer.status]).toEqual([cause, 400]);
      const words = cause === 'none' ? 'No required SSL certificate was sent' : 'The SSL certificate error';
      expect(answer.body).toContain(words);
    }
    expect((await call(nginx.url, { ca: ca.chainPem, identity: await ca.client() })).status).toBe(200);
  });

  test('without resumption a session is worth nothing, with it the same session is resumed', async () => {
    const [alice, bob] = [await ca.client(), await ca.client()];
    const seen = async (url: string, identity: Identity, session: Buffer | null) => {
      const answer = await call(url, { ca: ca.chainPem, identity, ...(session === null ? {} : { session }) });
      return { ...parseNginxAnswer(answer.body), session: answer.session };
    };
    await using off = await start({ tls: [tls] });
    const { session } = await seen(off.url, alice, null);
    expect(await seen(off.url, alice, session)).toMatchObject({ serial: alice.serial, resumed: false });
    expect(await seen(off.url, bob, session)).toMatchObject({ serial: bob.serial, resumed: false });

    await using on = await start({ tls: [tls], resumption: true });
    const first = await seen(on.url, alice, null);
    expect(await seen(on.url, alice, first.session)).toMatchObject({ serial: alice.serial, resumed: true });
  });
});

test('verify optional lets a client without certificate in, and says so', async () => {
  await using nginx = await start({ verify: 'optional' });
  const answer = parseNginxAnswer((await call(nginx.url, { ca: ca.chainPem })).body);
  expect(answer).toMatchObject({ serial: '', verify: 'NONE' });
});

test('reload puts a CRL in force and closes idle connections of the old worker', async () => {
  const doomed = await ca.client();
  await using nginx = await start();
  const agent = agentFor({ ca: ca.chainPem, identity: doomed }, true);
  expect((await call(nginx.url, { ca: '', agent })).status).toBe(200);
  const [socket] = Object.values(agent.freeSockets).flat();
  ca.revoke(doomed);
  await Promise.all([once(socket!, 'close'), nginx.reload(await crls())]);
  expect((await call(nginx.url, { ca: '', agent })).status).toBe(400);
  agent.destroy();
  expect((await call(nginx.url, { ca: ca.chainPem, identity: await ca.client() })).status).toBe(200);
  await nginx.reload(await crls());
  expect((await call(nginx.url, { ca: ca.chainPem, identity: doomed })).status).toBe(400);
});

test('keep-alive is on unless it is turned off', async () => {
  const identity = await ca.client();
  for (const [keepaliveSeconds, same] of [
    [60, true],
    [0, false],
  ] as const) {
    await using nginx = await start({ keepaliveSeconds });
    const agent = agentFor({ ca: ca.chainPem, identity }, true);
    const connection = async () => parseNginxAnswer((await call(nginx.url, { ca: '', agent })).body).connection;
    const first = await connection();
    expect((await connection()) === first).toBe(same);
    agent.destroy();
  }
});

test('the body is answered as given, quotes and backslashes too', async () => {
  const identity = await ca.client();
  const upstreamBody = `{"it's": "a \\\\ b"}${'x'.repeat(3_000)}`;
  await using nginx = await start({ upstreamBody });
  expect((await call(`${nginx.url}/body`, { ca: ca.chainPem, identity })).body).toBe(upstreamBody);
  await expect(start({ upstreamBody: '$host' })).rejects.toThrow('upstreamBody');
});

describe('in a temporary folder of its own', () => {
  const usual = process.env['TMPDIR'];
  let folder: Folder;
  beforeEach(async () => {
    folder = await folderWith({});
    process.env['TMPDIR'] = folder.path('.');
  });
  afterEach(async () => {
    if (usual === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = usual;
    await folder[Symbol.asyncDispose]();
  });

  test('after stop no process, no port and no file is left', async () => {
    const nginx = await start();
    const { stdout } = await run('pgrep', ['-P', String(nginx.pid)]);
    const workers = stdout.trim().split('\n').map(Number);
    expect(workers).toHaveLength(1);
    expect(readdirSync(folder.path('.'))).toHaveLength(1);
    await nginx.stop();
    for (const pid of [nginx.pid, ...workers]) expect(() => process.kill(pid, 0)).toThrow('ESRCH');
    const probe = connect(Number(new URL(nginx.url).port), '127.0.0.1');
    expect((await failure(once(probe, 'connect'))).code).toBe('ECONNREFUSED');
    expect(readdirSync(folder.path('.'))).toEqual([]);
    await nginx.stop();
  });

  test('a configuration that nginx refuses is told in its own words, and leaves nothing', async () => {
    await expect(start({ clientCaPem: 'no certificate' })).rejects.toThrow(/\[emerg\].*ca\.pem/);
    expect(readdirSync(folder.path('.'))).toEqual([]);
  });
});

test('without nginx on the machine the error says how to get it', async () => {
  const path = process.env['PATH'];
  process.env['PATH'] = '/nonexistent';
  try {
    await expect(start()).rejects.toThrow('apt-get install -y nginx-light');
  } finally {
    process.env['PATH'] = path;
  }
});
