import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openAwsStore } from '../../../src/keystore/aws/aws-store.ts';
import type { ForeignSecret } from '../../../src/keystore/foreign/foreign-secret.ts';
import { KeyStore } from '../../../src/keystore/keystore.ts';
import type { Policy } from '../../fakes/aws/iam.ts';
import { shippedPolicy } from '../../fakes/aws/shipped-policy.ts';
import { FakeAws } from '../../fakes/aws.ts';
import { outcome } from './stage.ts';

const CANARY = 'canary-of-a-team-4b77';

let aws: FakeAws;
let kmsKeyId: string;
let prefix: string;
let folder: string;
beforeAll(async () => {
  aws = await FakeAws.start();
  kmsKeyId = await aws.makeKey();
  [prefix, folder] = [`keyturn-${randomUUID()}`, `teams-${randomUUID()}`];
  const make = (Name: string, value: object) =>
    aws.ask('secretsmanager:CreateSecret', { Name, KmsKeyId: kmsKeyId, ...value });
  await make(`${folder}/json`, {
    SecretString: JSON.stringify({ private_key: CANARY, certificate: 'second', number: 7 }),
  });
  await make(`${folder}/nested`, { SecretString: JSON.stringify({ tls: { key: CANARY, cert: 'second' } }) });
  await make(`${folder}/text`, { SecretString: `-----BEGIN ${CANARY}` });
  await make(`${folder}/octets`, { SecretBinary: Buffer.from([0x30, 0x80, 0xff, 0]).toString('base64') });
  await make(`elsewhere-${folder}/json`, { SecretString: CANARY });
  await make(`${prefix}/versions/lean/sandbox/1`, { SecretString: CANARY });
});
afterAll(() => aws[Symbol.asyncDispose]());

async function using<T>(policies: readonly Policy[] | null, act: (store: KeyStore) => Promise<T>): Promise<T> {
  aws.proxy.policies = null;
  const driver = await openAwsStore({ ...aws.connection, prefix, kmsKeyId });
  const store = new KeyStore('aws-eu', driver, { adoptFrom: [`${folder}/*`, `elsewhere-${folder}/*`, `${prefix}/*`] });
  aws.proxy.policies = policies;
  try {
    return await act(store);
  } finally {
    await store.close();
  }
}

const read = (name: string, take: (secret: ForeignSecret) => string, policies: readonly Policy[] | null = null) =>
  using(policies, async (store) => {
    using secret = await store.readForeign(name);
    return take(secret);
  });

function adoptPolicy(): Policy {
  const text = JSON.stringify(shippedPolicy('keyturn-adopt.json', { prefix, kmsKeyId }));
  return JSON.parse(text.replaceAll('secret:teams/', `secret:${folder}/`)) as Policy;
}

describe('a secret of others', () => {
  it('is read by name and field', async () => {
    expect(await read(`${folder}/json`, (secret) => secret.octets('private_key').bytes.toString())).toBe(CANARY);
    expect(await read(`${folder}/json`, ({ version }) => version)).toMatch(/^[0-9a-f-]{32,64}$/);
  });

  it('is read by the path of a field within fields, and names those there are', async () => {
    expect(await read(`${folder}/nested`, (secret) => secret.octets('tls.key').bytes.toString())).toBe(CANARY);
    await expect(read(`${folder}/nested`, (secret) => secret.octets('key').toString())).rejects.toMatchObject({
      code: 'not_found',
      fix: 'Its fields: tls.cert, tls.key.',
    });
  });

  it('is read as a whole, text or octets', async () => {
    expect(await read(`${folder}/text`, (secret) => secret.octets(null).bytes.toString())).toBe(`-----BEGIN ${CANARY}`);
    expect(await read(`${folder}/octets`, (secret) => secret.octets(null).bytes.toString('hex'))).toBe('3080ff00');
  });

  it('names the fields there are when one is missing, and says when there are none', async () => {
    await expect(read(`${folder}/json`, (secret) => secret.octets('key').toString())).rejects.toMatchObject({
      code: 'not_found',
      fix: 'Its fields: certificate, number, private_key.',
    });
    await expect(read(`${folder}/text`, (secret) => secret.octets('key').toString())).rejects.toMatchObject({
      code: 'not_found',
      message: expect.stringContaining('no fields') as string,
    });
    await expect(read(`${folder}/absent`, () => '')).rejects.toMatchObject({ code: 'not_found' });
  });

  it('is never a record of our own', async () => {
    await expect(read(`${prefix}/versions/lean/sandbox/1`, () => '')).rejects.toMatchObject({
      code: 'invalid_input',
      message: expect.stringContaining("Keyturn's own prefix") as string,
    });
  });
});

describe('policies/aws/keyturn-adopt.json', () => {
  const own = () => shippedPolicy('keyturn.json', { prefix, kmsKeyId });
  const attempt = (name: string, policies: readonly Policy[]) => outcome(read(name, () => '', policies));

  it('is needed beside keyturn.json, and enough', async () => {
    expect(await attempt(`${folder}/json`, [own(), adoptPolicy()])).toBe('done');
    await expect(read(`${folder}/json`, () => '', [own()])).rejects.toMatchObject({
      code: 'keystore_unavailable',
      message: expect.stringContaining('secretsmanager:GetSecretValue') as string,
      fix: expect.stringContaining('policies/aws/keyturn-adopt.json') as string,
    });
  });

  it('breaks without each of its statements', async () => {
    const { Statement, ...rest } = adoptPolicy() as unknown as { Statement: unknown[] };
    for (const left of Statement) {
      const reduced = { ...rest, Statement: [left] } as unknown as Policy;
      expect(await attempt(`${folder}/json`, [own(), reduced])).toBe('keystore_unavailable forbidden');
    }
  });

  it('reaches nothing outside of the folder', async () => {
    expect(await attempt(`elsewhere-${folder}/json`, [own(), adoptPolicy()])).toBe('keystore_unavailable forbidden');
  });
});
