import { createHash, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type SecureContext } from 'node:tls';
import { expect, test, vi } from 'vitest';
import { buildMaterial } from '../../../src/client/lease/material.ts';
import type { LeaseAnswer } from '../../../src/client/wire.ts';
import { SecretBytes } from '../../../src/core/secret-bytes.ts';
import { type Issued, type KeyKind, TestCa } from '../../fakes/ca.ts';

function answerFor({ certificatePem: certificate }: Issued, chain: string): LeaseAnswer {
  const spki = new X509Certificate(certificate).publicKey.export({ format: 'der', type: 'spki' });
  return {
    lease: 'lease_1',
    credential: 'lean/sandbox',
    version: 1,
    spki: createHash('sha256').update(spki).digest('hex'),
    secondsLeft: 300,
    expiresAt: '2026-11-23T10:00:00.000Z',
    certificate,
    chain,
    trust: { mode: 'pinned', pem: chain },
    endpoints: ['localhost:1'],
    refusals: [],
    sealed: null,
    receipt: { index: 0, entry: '', inclusion: [], checkpoint: '' },
  };
}

function derOf({ privateKey }: Issued): Buffer {
  return privateKey.export({ format: 'der', type: 'pkcs8' });
}

test('the key is wiped once the context is built, for every kind of key', async () => {
  const ca = await TestCa.create();
  for (const key of ['rsa-2048', 'ec-p256', 'ec-p384', 'ed25519'] satisfies KeyKind[]) {
    const issued = await ca.client({ key });
    const der = derOf(issued);
    const material = buildMaterial(answerFor(issued, ca.chainPem), SecretBytes.own(der));
    expect([der.every((octet) => octet === 0), material.leaf.raw.length > 0]).toEqual([true, true]);
  }
});

test('no PEM of the key is left either, in whatever memory was taken for it', async () => {
  const ca = await TestCa.create();
  const issued = await ca.client();
  const answer = answerFor(issued, ca.chainPem);
  const taken: Buffer[] = [];
  const allocate = Buffer.allocUnsafeSlow.bind(Buffer);
  const spy = vi.spyOn(Buffer, 'allocUnsafeSlow').mockImplementation((size) => {
    const octets = allocate(size);
    taken.push(octets);
    return octets;
  });
  buildMaterial(answer, SecretBytes.copyOf(derOf(issued)));
  spy.mockRestore();
  // The copy of the DER, and the PEM.
  expect(taken.map((octets) => octets.every((octet) => octet === 0))).toEqual([true, true]);
});

test('a key that is not of the certificate or not of the SPKI is refused, and wiped all the same', async () => {
  const ca = await TestCa.create();
  const [ours, other] = [await ca.client(), await ca.client()];
  const answer = answerFor(ours, ca.chainPem);
  const mixed: [LeaseAnswer, Buffer][] = [
    [answer, derOf(other)],
    [{ ...answer, certificate: other.certificatePem }, derOf(ours)],
    [{ ...answer, spki: 'ab'.repeat(32) }, derOf(ours)],
    [{ ...answer, certificate: 'none' }, derOf(ours)],
    [{ ...answer, trust: { mode: 'pinned', pem: 'none' } }, derOf(ours)],
    [answer, Buffer.from('not a key')],
  ];
  for (const [lie, der] of mixed) {
    const refused = expect.objectContaining({ code: 'sealed_answer_invalid' });
    expect(() => buildMaterial(lie, SecretBytes.own(der))).toThrow(refused);
    expect(der.every((octet) => octet === 0)).toBe(true);
  }
});

/** 'trusted', or Node's code for why not. */
async function judged(server: Issued, chain: string, secureContext: SecureContext): Promise<unknown> {
  const listener = createServer({ key: server.keyPem, cert: server.certificatePem + chain });
  listener.on('tlsClientError', () => {});
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as AddressInfo;
  const socket = connect({ port, host: '127.0.0.1', servername: 'localhost', secureContext });
  const verdict = once(socket, 'secureConnect').then(
    () => 'trusted',
    (error: NodeJS.ErrnoException) => error.code,
  );
  try {
    return await verdict;
  } finally {
    socket.destroy();
    listener.close();
  }
}

test('a pinned chain that ends below its root is trust all the same, and for its own certificates alone', async () => {
  const root = await TestCa.create();
  const [pinned, sister] = [await root.child('Pinned CA'), await root.child('Sister CA')];
  const issued = await pinned.client();
  for (const mode of ['pinned', 'both'] as const) {
    const answer = { ...answerFor(issued, pinned.certificatePem), trust: { mode, pem: pinned.certificatePem } };
    const { secureContext } = buildMaterial(answer, SecretBytes.own(derOf(issued)));
    expect(await judged(await pinned.server(), pinned.certificatePem, secureContext)).toBe('trusted');
    expect(await judged(await pinned.server(), pinned.chainPem, secureContext)).toBe('trusted');
    expect(await judged(await sister.server(), sister.chainPem, secureContext)).toMatch(
      /SELF_SIGNED_CERT_IN_CHAIN|ISSUER/,
    );
  }
});
