import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { pipeline, Transform } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { daysFromNow, TestCa } from './ca.ts';
import { call, failure, type Identity } from './call.ts';
import { type Partner, type PartnerOptions, startPartner } from './partner/partner.ts';
import { folderWith, type Ran, run, startOpensslServer } from './programs.ts';

const VERSIONS = ['TLSv1.2', 'TLSv1.3'] as const;
const KEYS = ['rsa-2048', 'ec-p256'] as const;
const CAUSES = ['expired', 'not yet valid', 'revoked', 'no clientAuth', 'unknown CA', 'self-signed', 'none'] as const;
type Cause = (typeof CAUSES)[number];

async function identityWith(cause: Cause, partner: Partner, key: (typeof KEYS)[number]): Promise<Identity | null> {
  const { portal } = partner;
  switch (cause) {
    case 'expired':
      return portal.generate({ key, notAfter: daysFromNow(-0.5) });
    case 'not yet valid':
      return portal.generate({ key, notBefore: daysFromNow(1) });
    case 'revoked': {
      const made = await portal.generate({ key });
      await partner.revoke(made.serial);
      return made;
    }
    case 'no clientAuth':
      return portal.generate({ key, usages: ['serverAuth'] });
    case 'unknown CA':
      return (await TestCa.create('Test Root CA')).client({ key });
    case 'self-signed':
      return selfSigned(key);
    case 'none':
      return null;
  }
}

/** Made by `openssl req`, so that our own code has no part in it. */
async function selfSigned(key: (typeof KEYS)[number]): Promise<Identity> {
  const algorithm = key === 'rsa-2048' ? ['rsa:2048'] : ['ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];
  const output = ['-keyout', '-', '-out', '-', '-subj', '/CN=self'];
  const { stdout } = await run('openssl', ['req', '-x509', '-noenc', '-newkey', ...algorithm, ...output]);
  const [keyPem = '', certificatePem = ''] = stdout.split(/(?<=-----END PRIVATE KEY-----\n)/);
  return { keyPem, certificatePem };
}

/** How the client's call to the partner ended: an HTTP status, or the error's code. */
async function outcome(partner: Partner, identity: Identity | null): Promise<string> {
  const options = { ca: partner.chainPem, ...(identity === null ? {} : { identity }) };
  const answer = call(`${partner.mtlsUrl}/whoami`, options);
  try {
    return String((await answer).status);
  } catch {
    const { code, reason } = await failure(answer);
    return reason === null ? code : `${code} ${reason}`;
  }
}

/** Asks `/whoami` with `openssl s_client`. */
async function sClient(partner: Partner, identity: Identity, more: readonly string[] = []): Promise<Ran> {
  await using folder = await folderWith({ 'both.pem': identity.keyPem + identity.certificatePem });
  const target = ['-connect', new URL(partner.mtlsUrl).host, '-servername', 'localhost', '-ign_eof'];
  const args = ['s_client', ...target, '-cert', folder.path('both.pem'), ...more];
  return await run('openssl', args, 'GET /whoami HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
}

/** Asks `/whoami` with `curl`. */
async function runCurl(partner: Partner, identity: Identity): Promise<Ran> {
  const both = identity.keyPem + identity.certificatePem;
  await using folder = await folderWith({ 'both.pem': both, 'ca.pem': partner.chainPem });
  const pems = ['--cert', folder.path('both.pem'), '--cacert', folder.path('ca.pem')];
  return await run('curl', ['--silent', '--show-error', '--max-time', '10', ...pems, `${partner.mtlsUrl}/whoami`]);
}

function partnerThat(tls: NonNullable<PartnerOptions['tls']>, refuseBy: 'alert' | 'status' | 'close') {
  return startPartner({ tls, switches: { refuseBy } });
}

const SERVER_FACES = {
  status: { 'TLSv1.2': '400', 'TLSv1.3': '400' },
  close: { 'TLSv1.2': 'ECONNRESET', 'TLSv1.3': 'ECONNRESET' },
} as const;

describe.each(VERSIONS)('over %s', (tls) => {
  test.each(KEYS)('a good %s certificate gets through however others are refused', async (key) => {
    await using partner = await partnerThat(tls, 'alert');
    const identity = await partner.portal.generate({ key });
    for (const refuseBy of ['alert', 'status', 'close'] as const) {
      await partner.set({ refuseBy });
      expect(await outcome(partner, identity)).toBe('200');
    }
    expect(partner.refused).toEqual([]);
  });

  describe.each(['status', 'close'] as const)('refused by %s', (refuseBy) => {
    test.each(KEYS)('every bad %s certificate looks the same', async (key) => {
      await using partner = await partnerThat(tls, refuseBy);
      for (const cause of CAUSES) {
        expect([cause, await outcome(partner, await identityWith(cause, partner, key))]).toEqual([
          cause,
          SERVER_FACES[refuseBy][tls],
        ]);
      }
      expect(partner.seen).toEqual([]);
      expect(partner.refused.map(({ reason }) => reason)).toEqual([
        'CERT_HAS_EXPIRED',
        'CERT_NOT_YET_VALID',
        'CERT_REVOKED',
        'INVALID_PURPOSE',
        'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
        // OpenSSL goes on after an error here, and the last one is told: no CRL of an unknown issuer.
        'UNABLE_TO_GET_CRL',
        'CERTIFICATE_REQUIRED',
      ]);
    });
  });

  test.each(KEYS)('refused by alert, each bad %s certificate gets the alert that OpenSSL sends', async (key) => {
    await using partner = await partnerThat(tls, 'alert');
    for (const cause of CAUSES) {
      const identity = await identityWith(cause, partner, key);
      const [issuingCrl] = await partner.crls();
      const serverCa = await TestCa.create();
      const server = await serverCa.server();
      await using judge = await startOpensslServer({ server, clientCaPem: partner.chainPem, crlPem: issuingCrl!, tls });
      const options = { ca: serverCa.certificatePem, ...(identity === null ? {} : { identity }) };
      const wanted = await failure(call(`${judge.url}/`, options));
      expect([cause, await outcome(partner, identity)]).toEqual([cause, `${wanted.code} ${wanted.reason}`]);
    }
    expect(partner.seen).toEqual([]);
  });

  test('openssl s_client and curl read the alert as certificate revoked', async () => {
    await using partner = await partnerThat(tls, 'alert');
    const revoked = (await identityWith('revoked', partner, 'ec-p256'))!;
    const client = await sClient(partner, revoked);
    expect(client.stderr).toContain('alert certificate revoked');
    expect(client.stderr).toContain('SSL alert number 44');

    const curl = await runCurl(partner, revoked);
    expect(curl.exitCode).not.toBe(0);
    expect(curl.stderr).toContain('alert certificate revoked');
  });

  test('curl with a good certificate gets through the gate', async () => {
    await using partner = await partnerThat(tls, 'alert');
    const made = await partner.portal.generate();
    const curl = await runCurl(partner, made);
    expect(JSON.parse(curl.stdout)).toMatchObject({ serial: made.serial });
  });
});

test('a handshake with a second ClientHello passes the gate', async () => {
  await using partner = await partnerThat('TLSv1.3', 'alert');
  const good = await partner.portal.generate();
  const bad = (await identityWith('revoked', partner, 'ec-p256'))!;
  // A group that the server does not offer first makes it ask again (RFC 8446 section 4.1.4).
  const groups = ['-groups', 'ffdhe4096:P-256', '-msg'];
  const [welcome, refused] = [await sClient(partner, good, groups), await sClient(partner, bad, groups)];
  for (const { stdout } of [welcome, refused]) expect(stdout.match(/>>> .* ClientHello/g)).toHaveLength(2);
  expect(welcome.stdout).toContain(`"serial":"${good.serial}"`);
  expect(refused.stderr).toContain('SSL alert number 44');
});

test('a large answer passes the gate unharmed, many times over one connection', async () => {
  await using partner = await startPartner({ banksBytes: 300_000, switches: { refuseBy: 'alert' } });
  const identity = await partner.portal.generate();
  const headers = { 'lean-app-token': partner.appToken };
  for (let i = 0; i < 5; i += 1) {
    const answer = await call(`${partner.mtlsUrl}/banks/v1`, { ca: partner.chainPem, identity, headers });
    expect(JSON.parse(answer.body).length).toBeGreaterThan(3_000);
  }
});

test.each(VERSIONS)(
  'over %s, each of many clients at once gets the alert or the answer that is its own',
  async (tls) => {
    await using partner = await partnerThat(tls, 'alert');
    const revoked = (await identityWith('revoked', partner, 'ec-p256'))!;
    const expired = (await identityWith('expired', partner, 'ec-p256'))!;
    const good = await partner.portal.generate({ key: 'ec-p256' });
    const headers = { 'lean-app-token': partner.appToken };
    const customer = `${partner.mtlsUrl}/customers/v1`;
    // A body that is still on its way when the server hangs up must not cost the client its alert.
    const body = JSON.stringify({ app_user_id: 'x'.repeat(60_000) });
    const send = async (identity: Identity) => {
      const sent = call(customer, { ca: partner.chainPem, identity, headers, method: 'POST', body });
      return sent.then((answer) => String(answer.status)).catch(async () => (await failure(sent)).reason);
    };
    const outcomes = await Promise.all(Array.from({ length: 20 }, () => [revoked, good, expired].map(send)).flat());
    const wanted = ['ssl/tls alert certificate revoked', '200', 'ssl/tls alert certificate expired'];
    expect(outcomes).toEqual(Array.from({ length: 20 }, () => wanted).flat());
  },
);

test('a ClientHello in single bytes passes the gate', async () => {
  await using partner = await partnerThat('TLSv1.3', 'alert');
  const bad = (await identityWith('revoked', partner, 'ec-p256'))!;
  const { port } = new URL(partner.mtlsUrl);
  await using drip = await startDrip(Number(port));
  const options = { ca: partner.chainPem, identity: bad };
  expect((await failure(call(`https://localhost:${drip.port}/whoami`, options))).reason).toBe(
    'ssl/tls alert certificate revoked',
  );
});

/** A proxy that hands the client's first 60 bytes on one at a time. */
async function startDrip(target: number): Promise<{ port: number; [Symbol.asyncDispose](): Promise<void> }> {
  const server = createServer((client) => {
    const upstream = connect({ port: target, host: '127.0.0.1', noDelay: true });
    let dripped = 0;
    const drip = new Transform({
      async transform(chunk: Buffer, _encoding, done) {
        const slow = Math.min(chunk.length, 60 - dripped);
        dripped += slow;
        for (let i = 0; i < slow; i += 1) {
          this.push(chunk.subarray(i, i + 1));
          await new Promise(setImmediate);
        }
        done(null, chunk.subarray(slow));
      },
    });
    pipeline(client, drip, upstream, () => {});
    pipeline(upstream, client, () => {});
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const closed = once(server, 'close');
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.close();
      await closed;
    },
  };
}
