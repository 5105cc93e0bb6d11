import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, onTestFinished, vi } from 'vitest';
import { openAwsPcaIssuer } from '../../../src/issuer/aws-pca/aws-pca-issuer.ts';
import { openAwsStore } from '../../../src/keystore/aws/aws-store.ts';
import { examineAws } from '../../../src/keystore/aws/examine/examine.ts';
import type { AwsStoreOptions } from '../../../src/keystore/aws/options.ts';
import { makeAuthority } from '../../conformance/issuers/aws-pca.ts';
import { TlsFront } from '../../fakes/aws/tls-front.ts';
import { CREDENTIALS, FakeAws, REGION } from '../../fakes/aws.ts';
import { TestCa } from '../../fakes/ca.ts';
import { ConnectProxy } from '../../fakes/egress/connect-proxy.ts';
import { temporaryFolder } from '../file/temporary-store.ts';
import { refusedReading } from '../refused-reading.ts';
import { get, put } from './stage.ts';

const PASSWORD = 'canary-proxy-password-2c26b46b';
const NAME = 'secretsmanager.test';

let aws: FakeAws;
let front: TlsFront;
let proxy: ConnectProxy;
let place: string;
let endpoint: string;
let at = 0;
const roots = getCACertificates('default');

beforeAll(async () => {
  const ca = await TestCa.create();
  aws = await FakeAws.start();
  front = await TlsFront.start(await ca.server({ dns: [NAME] }), aws.proxy.url);
  proxy = await ConnectProxy.start();
  place = `${NAME}:${new URL(front.url).port}`;
  endpoint = `https://${place}`;
  setDefaultCACertificates([...roots, ca.certificatePem]);
});
afterAll(async () => {
  setDefaultCACertificates(roots);
  for (const each of [proxy, front, aws]) await each[Symbol.asyncDispose]();
});
const VARIABLES = ['HTTPS_PROXY', 'https_proxy', 'NO_PROXY', 'no_proxy'];
beforeEach(() => {
  proxy.instead = null;
  proxy.asked.length = 0;
  proxy.passed.length = 0;
  for (const name of VARIABLES) delete process.env[name];
});
afterEach(() => {
  for (const name of VARIABLES) delete process.env[name];
});

async function opened(options: AwsStoreOptions = {}) {
  at += 1;
  const store = await openAwsStore({ region: REGION, endpoint, prefix: `proxied-${at}`, attempts: 1, ...options });
  onTestFinished(() => store.close());
  return store;
}

async function refusal(options: AwsStoreOptions = {}) {
  return refusedReading(await opened(options), PASSWORD);
}

it.each(['HTTPS_PROXY', 'https_proxy'])(
  'behind the proxy that %s names, records pass in a tunnel that shows nothing of them',
  async (name) => {
    process.env[name] = proxy.url;
    const store = await opened();
    await put(store, 'versions/a/1', 'canary-octets');
    expect(await get(store, 'versions/a/1')).toBe('canary-octets');
    expect(await store.list()).toEqual(['versions/a/1']);
    await store.destroy('versions/a/1');
    expect(await store.health()).toMatchObject({ ready: true });
    expect(new Set(proxy.asked)).toEqual(new Set([place]));
    const seen = Buffer.concat(proxy.passed);
    for (const text of [
      ...Object.values(CREDENTIALS),
      'canary-octets',
      Buffer.from('canary-octets').toString('base64'),
    ]) {
      expect(seen.includes(text)).toBe(false);
    }
  },
);

it('an authority of AWS Private CA is reached through it as well', async () => {
  process.env['HTTPS_PROXY'] = proxy.url;
  const issuer = await openAwsPcaIssuer({ authority: await makeAuthority(aws), endpoint });
  onTestFinished(() => issuer.close());
  await issuer.health();
  expect(proxy.asked).toContain(place);
});

it('NO_PROXY spares AWS, and loopback is spared by itself', async () => {
  Object.assign(process.env, { HTTPS_PROXY: proxy.url, NO_PROXY: '.test' });
  expect((await refusal()).said).not.toContain('127.0.0.1');
  const { connection } = aws;
  expect(await (await opened(connection)).list()).toEqual([]);
  expect(proxy.asked).toEqual([]);
});

it.each([
  [407, 'proxy', 'wants a user and password'],
  [403, 'proxy', 'refuses the way to'],
  [502, 'unreachable', "can't reach"],
  ['drop' as const, 'unreachable', 'broke off'],
  ['hang' as const, 'unreachable', 'opened no way to'],
])('a proxy that does not open the way is named with what to do: %s', async (instead, reason, says) => {
  process.env['HTTPS_PROXY'] = proxy.url.replace('//', instead === 407 ? '//' : `//keyturn:${PASSWORD}@`);
  proxy.instead = instead;
  const refused = await refusal({ connectMs: 300 });
  expect(refused).toMatchObject({ reason, certain: true });
  expect(refused.said).toContain(`The proxy ${proxy.origin} (HTTPS_PROXY) ${says}`);
  expect(refused.said).toMatch(/\(GetSecretValue, secret proxied-\d+\/versions\/a\/1, eu-central-1\)/);
  expect(refused.said).not.toContain('canary-reason');
  await expect.poll(() => proxy.open).toBe(0);
});

it('a proxy in the way of what gives the credentials is named, and no source is blamed', async () => {
  const folder = temporaryFolder();
  const role = 'role_arn = arn:aws:iam::111122223333:role/keyturn\nsource_profile = base\n';
  const keys = 'aws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = example\n';
  writeFileSync(join(folder, 'config'), `[profile keyturn]\n${role}[profile base]\n${keys}`);
  onTestFinished(() => void vi.unstubAllEnvs());
  for (const name of Object.keys(CREDENTIALS)) vi.stubEnv(name, undefined);
  vi.stubEnv('AWS_CONFIG_FILE', join(folder, 'config'));
  vi.stubEnv('AWS_PROFILE', 'keyturn');
  process.env['HTTPS_PROXY'] = proxy.url;
  proxy.instead = 403;
  const refused = await refusal();
  expect(proxy.asked[0]).toMatch(/^sts\..*amazonaws\.com:443$/);
  expect(refused).toMatchObject({ reason: 'proxy', certain: true });
  expect(refused.said).toContain(`The proxy ${proxy.origin} (HTTPS_PROXY) refuses the way to sts.`);
});

it('a proxy that refuses is asked once, one that may come back as often as AWS itself', async () => {
  process.env['HTTPS_PROXY'] = proxy.url;
  proxy.instead = 407;
  await refusal({ attempts: 3 });
  expect(proxy.asked).toHaveLength(1);
  proxy.instead = 503;
  await refusal({ attempts: 3 });
  expect(proxy.asked).toHaveLength(4);
});

it('a proxy that is not there is named, and that nothing was sent', async () => {
  process.env['HTTPS_PROXY'] = `http://keyturn:${PASSWORD}@127.0.0.1:9`;
  const refused = await refusal();
  expect(refused).toMatchObject({ reason: 'unreachable', certain: true });
  expect(refused.said).toContain("The proxy http://127.0.0.1:9 (HTTPS_PROXY) can't be reached (ECONNREFUSED)");
});

it('what names no proxy is refused when the store is opened', async () => {
  process.env['HTTPS_PROXY'] = `socks5://keyturn:${PASSWORD}@proxy:1080`;
  await expect(opened()).rejects.toMatchObject({ code: 'config_invalid', message: /^HTTPS_PROXY/ });
});

it('doctor says that a proxy is used; it does not look a name up that the proxy looks up', async () => {
  process.env['HTTPS_PROXY'] = proxy.url;
  const found = await examineAws({ region: REGION, endpoint, prefix: 'proxied' });
  expect(found[0]?.evidence).toContain(`proxy ${proxy.origin} (HTTPS_PROXY of this shell`);
  expect(found.filter(({ verdict }) => verdict === 'broken')).toEqual([]);
  proxy.instead = 403;
  const refused = await examineAws({ region: REGION, endpoint, prefix: 'proxied' });
  expect(refused.at(-1)).toMatchObject({ name: 'service', verdict: 'broken' });
  expect(refused.at(-1)?.fix).toContain(`curl -v -x ${proxy.origin} https://${place}`);
});
