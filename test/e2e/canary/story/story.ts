import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { LeaseAnswer } from '../../../../src/client/wire.ts';
import { AnswerOpener } from '../../../../src/sealed/answer.ts';
import type { Partner } from '../../../fakes/partner/partner.ts';
import type { TestInstance } from '../../instance.ts';
import type { Planted } from './planted.ts';
import type { Tap } from './tap.ts';

const CREDENTIAL = '/v1/credentials/lean%2Fsandbox';
const REVEALER = { roles: [{ name: 'revealer', title: 'Moves keys', permissions: ['credential:reveal'] }] };

/** Who takes part: an instance, whose answers are tapped, and the secrets that it is given. */
export interface Cast {
  readonly keyturn: TestInstance;
  readonly tap: Tap;
  readonly planted: Planted;
  readonly partner: Partner;
}

/**
 * Two versions and a companion secret are brought in, lent, renewed, promoted, revealed, frozen and thawed: everything
 * that handles a secret when all goes well. Gives the token of the service.
 */
export async function tellStory({ keyturn, tap, planted, partner }: Cast): Promise<string> {
  await writeFile(join(keyturn.home, 'policies', 'access', 'own-roles.yaml'), stringify(REVEALER));
  await keyturn.grant('person:alice', 'revealer');
  const bob = planted.token('approver’s token', await keyturn.grant('person:bob', 'approver'));
  const service = planted.token('service’s token', await keyturn.grant('service:payments', 'service'));
  await bringIn(tap, planted, partner);
  await lend(tap, service);
  const hold = await tap.call('POST', '/v1/holds', {
    json: { target: 'version', subject: 'lean/sandbox', version: 2, reason: 'a drill' },
  });
  await tap.call('POST', `${CREDENTIAL}/leases`, { token: service, json: wish(AnswerOpener.generate()) });
  for (const token of [keyturn.admin, bob]) {
    await expectOk(tap.call('POST', `/v1/holds/${String(hold.body['hold'])}/thaw`, { token }));
  }
  return service;
}

async function bringIn(tap: Tap, planted: Planted, partner: Partner): Promise<void> {
  const first = await partner.portal.generate();
  planted.key('RSA key', first.keyPem);
  await expectOk(tap.import('lean/sandbox', { 'a.zip': first.zip, 'chain.zip': await partner.portal.chain() }));
  const second = await partner.portal.generate({ key: 'ec-p256' });
  const encrypted = planted
    .key('P-256 key', second.keyPem)
    .export({ format: 'pem', type: 'pkcs8', cipher: 'aes-256-cbc', passphrase: planted.passphrase });
  const files = { 'all.pem': Buffer.from(String(encrypted) + second.certificatePem) };
  await expectOk(tap.import('lean/sandbox', { ...files, password: Buffer.from(planted.passphrase) }));
  await expectOk(
    tap.call('PUT', `${CREDENTIAL}/companions/lean-app-token`, {
      raw: Buffer.from(planted.appToken),
      headers: { 'content-type': 'application/octet-stream' },
    }),
  );
}

async function lend(tap: Tap, service: string): Promise<void> {
  const opener = AnswerOpener.generate();
  const json = wish(opener);
  const lease = await expectOk(tap.call('POST', `${CREDENTIAL}/leases`, { token: service, json }));
  const { lease: id } = lease.body as unknown as LeaseAnswer;
  await expectOk(tap.call('POST', `${CREDENTIAL}/versions/2/promote`));
  await expectOk(tap.call('POST', `/v1/leases/${id}/renew`, { token: service, json: { ...json, uses: [] } }));
  const { hpkePublicKey } = json;
  for (const version of [1, 2]) {
    const path = `${CREDENTIAL}/versions/${version}/reveal`;
    await expectOk(tap.call('POST', path, { json: { hpkePublicKey, reason: 'a test' } }));
  }
}

/** What is asked for in clear, of everybody: the lists, the log, the metrics, the description. */
export async function readAll(tap: Tap): Promise<void> {
  const paths = ['/livez', '/readyz', '/metrics', '/openapi.json', '/v1/runtime', '/v1/whoami', '/v1/credentials'];
  const more = ['/v1/holds', '/v1/tokens', '/v1/audit/entries?limit=1000', '/v1/audit/export', '/v1/audit/checkpoint'];
  for (const path of [...paths, CREDENTIAL, ...more, '/v1/audit/entries/3/receipt'])
    await expectOk(tap.call('GET', path));
}

function wish(opener: AnswerOpener) {
  return { hpkePublicKey: opener.publicKey, seen: 0 };
}

async function expectOk<R extends { status: number; text: string }>(call: Promise<R>): Promise<R> {
  const reply = await call;
  if (reply.status >= 300) throw new Error(`The story does not hold: ${reply.status} ${reply.text}`);
  return reply;
}
