import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, test, vi } from 'vitest';
import { openAwsStore } from '../../../src/keystore/aws/aws-store.ts';
import { secretSettings } from '../../../src/keystore/aws/options.ts';
import { temporaryFolder } from '../file/temporary-store.ts';

beforeEach(() => {
  const folder = temporaryFolder();
  for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) vi.stubEnv(name, undefined);
  vi.stubEnv('AWS_CONFIG_FILE', join(folder, 'config'));
  vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', join(folder, 'credentials'));
  vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
});
afterEach(() => {
  vi.unstubAllEnvs();
});

it('a region is needed, and its absence is said at open', async () => {
  await expect(openAwsStore()).rejects.toMatchObject({ code: 'config_invalid', message: 'No AWS region is known.' });
  vi.stubEnv('AWS_REGION', 'eu-west-3');
  const store = await openAwsStore();
  expect(store.description).toBe('AWS Secrets Manager eu-west-3 keyturn/*');
  await store.close();
});

it('without credentials the store opens, is not ready, and every verb says what is missing before it asks AWS', async () => {
  const store = await openAwsStore({ region: 'eu-central-1', endpoint: 'http://127.0.0.1:1' });
  const { ready, detail } = await store.health();
  expect(ready).toBe(false);
  expect(detail).toContain('environment: not set');
  await expect(store.destroy('a/b')).rejects.toMatchObject({ facts: { reason: 'credentials', certain: true } });
  await store.close();
});

test.each([
  [{ deletion: 6 }],
  [{ deletion: 31 }],
  [{ deletion: 7.5 }],
  [{ prefix: '/' }],
  [{ tags: { 'aws:x': 'y' } }],
  [{ tags: { 'keyturn:record': 'y' } }],
  [{ tags: { a: '\n' } }],
])('%j is refused', (options) => {
  expect(() => secretSettings(options)).toThrow(expect.objectContaining({ code: 'config_invalid' }));
});

it('by default records go under keyturn, and are destroyed at once', () => {
  expect(secretSettings({})).toEqual({
    prefix: 'keyturn',
    kmsKeyId: null,
    deletion: 'immediate',
    tags: {},
    replicas: [],
    instance: null,
  });
  expect(secretSettings({ instance: 'keyturn.example/log' }).instance).toBe('keyturn.example/log');
  expect(secretSettings({ instance: 'keyturn~1' }).instance).toBeNull();
});
