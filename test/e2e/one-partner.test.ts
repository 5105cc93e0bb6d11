import { afterAll, beforeAll, expect, test } from 'vitest';
import type { LeaseAnswer } from '../../src/client/wire.ts';
import { AnswerOpener } from '../../src/sealed/answer.ts';
import { type Partner, startPartner } from '../fakes/partner/partner.ts';
import { TestInstance } from './instance.ts';

let partner: Partner;
let keyturn: TestInstance;

beforeAll(async () => {
  partner = await startPartner();
  keyturn = await TestInstance.start();
  await keyturn.meet(partner);
});

afterAll(async () => {
  await keyturn.stop();
  await partner.stop();
});

test('a partner’s two zips are imported, lent to a service, and the trail tells it', async () => {
  const { zip } = await partner.portal.generate();
  const imported = await keyturn.import('lean/sandbox', { 'cert.zip': zip, 'chain.zip': await partner.portal.chain() });
  expect(imported).toMatchObject({ status: 201, body: { version: 1, state: 'current' } });

  const payments = await keyturn.grant('service:payments', 'service');
  const opener = AnswerOpener.generate();
  const lease = await keyturn.call('POST', '/v1/credentials/lean%2Fsandbox/leases', {
    token: payments,
    json: { hpkePublicKey: opener.publicKey, seen: 0 },
  });
  expect(lease).toMatchObject({ status: 201, body: { version: 1 } });
  const { sealed, lease: id, credential, version, spki, expiresAt } = lease.body as unknown as LeaseAnswer;
  if (sealed === null) throw new Error('nothing sealed');
  const secrets = opener.open(sealed, { lease: id, credential, version, spki, expiresAt });
  expect([...secrets.keys()]).toEqual(['key']);
  expect(await keyturn.entries('lease.granted')).toMatchObject([
    { actor: 'service:payments', credential: 'lean/sandbox', version: 1 },
  ]);
});
