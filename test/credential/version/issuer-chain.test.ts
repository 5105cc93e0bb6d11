import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestInstance } from '../../e2e/instance.ts';
import { TestCa } from '../../fakes/ca.ts';

let keyturn: TestInstance;
let partnerCa: TestCa;

beforeAll(async () => {
  keyturn = await TestInstance.start();
  partnerCa = await TestCa.create('Partner Root');
});

afterAll(() => keyturn.stop());

async function pems(ca: TestCa, chains: string): Promise<Record<string, Buffer>> {
  const issued = await ca.client();
  return {
    'key.pem': Buffer.from(issued.keyPem),
    'cert.pem': Buffer.from(issued.certificatePem),
    'chain.pem': Buffer.from(chains),
  };
}

test('a foreign certificate that brings the known root beside its own is refused', async () => {
  const first = await keyturn.import('lean/sandbox', await pems(partnerCa, partnerCa.chainPem));
  expect(first).toMatchObject({ status: 201, body: { version: 1 } });
  const foreign = await TestCa.create('Somebody Else');
  const mixed = await keyturn.import('lean/sandbox', await pems(foreign, foreign.chainPem + partnerCa.chainPem));
  expect(mixed).toMatchObject({ status: 422, body: { code: 'chain_untrusted' } });
});

test('a new root is refused until a person accepts it', async () => {
  const successor = await TestCa.create('Partner Root 2');
  const upload = await pems(successor, successor.chainPem);
  expect(await keyturn.import('lean/sandbox', upload)).toMatchObject({
    status: 422,
    body: { code: 'chain_untrusted' },
  });
  const accepted = await keyturn.import('lean/sandbox', upload, { acceptNewChain: 'true' });
  expect(accepted).toMatchObject({ status: 201, body: { state: 'staged' } });
});

test('a new intermediate under the known root is accepted', async () => {
  const other = await keyturn.import('lean/production', await pems(partnerCa, partnerCa.chainPem));
  expect(other).toMatchObject({ status: 201 });
  const intermediate = await partnerCa.child('Partner Issuing CA 7');
  const next = await keyturn.import('lean/production', await pems(intermediate, intermediate.chainPem));
  expect(next).toMatchObject({ status: 201, body: { version: 2, state: 'staged' } });
});

test('of two first imports at once with unrelated chains only one pins its own', async () => {
  const alone = await TestInstance.start();
  const [one, other] = [await TestCa.create('One Root'), await TestCa.create('Other Root')];
  const uploads = [await pems(one, one.chainPem), await pems(other, other.chainPem)];
  const replies = await Promise.all(uploads.map((upload) => alone.import('lean/sandbox', upload)));
  expect(replies.map(({ status }) => status).sort((a, b) => a - b)).toEqual([201, 422]);
  await alone.stop();
});
