import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import { mayHaveHappened } from '../../../src/issuer/failure.ts';
import { type Issued, Issuer } from '../../../src/issuer/issuer.ts';
import type { VaultPkiOptions } from '../../../src/issuer/vault-pki/options.ts';
import { openVaultPkiIssuer } from '../../../src/issuer/vault-pki/vault-pki-issuer.ts';
import { anIssuance } from '../../conformance/issuers/issuer.ts';
import { ISSUER_POLICY, makePki } from '../../conformance/issuers/vault-pki.ts';
import { answeringWith, FaultProxy, losingAnswers, only, resetting } from '../../fakes/openbao/fault-proxy.ts';
import { OpenBao } from '../../fakes/openbao.ts';

let server: OpenBao;
beforeAll(async () => {
  server = await OpenBao.start();
});
afterAll(() => server[Symbol.asyncDispose]());

async function over(options: VaultPkiOptions): Promise<Issuer> {
  return new Issuer('vault', 'vault-pki', await openVaultPkiIssuer(options), { clock: systemClock });
}

async function outcome(call: Promise<unknown>): Promise<{ code: string; message: string; may: boolean } | 'done'> {
  return call.then(
    () => 'done',
    (error: unknown) => {
      const { code = '', message = '', fix = '' } = error as { code?: string; message?: string; fix?: string };
      return { code, message: `${message} ${fix}`, may: mayHaveHappened(error) };
    },
  );
}

describe('the policy that operators paste', () => {
  const grants = [...ISSUER_POLICY.matchAll(/^path "([^"]+)" \{\n {2}capabilities = \["([a-z]+)"\]\n\}$/gm)].map(
    ([whole, path = '']) => ({ whole, path }),
  );

  test('is read whole by this test, and grants no more than one capability a path', () => {
    expect(grants.length).toBe(ISSUER_POLICY.match(/^path /gm)?.length);
  });

  test.each([
    ['pki/sign/keyturn', ['issue']],
    ['pki/roles/keyturn', ['issue', 'find', 'check']],
    ['pki/certs', ['find']],
    ['pki/revoke', ['revoke']],
  ])('without %s it fails at %s and says so; all else goes on', async (path, failing) => {
    const full = await over((await makePki(server)).options);
    const whole = grants.find((grant) => grant.path === path)?.whole ?? 'nothing';
    const { mount, options } = await makePki(server, { policy: ISSUER_POLICY.replace(whole, '') });
    const issuer = await over(options);
    const asked = await anIssuance();
    const issued = await outcome(issuer.issue(asked));
    // Something to revoke that does not depend on the signature.
    const made = await server.root<{ data: { certificate: string } }>({
      path: `${mount}/sign/keyturn`,
      body: { csr: asked.request.pem },
    });
    const { byHand } = asked;
    const check = await issuer.check();
    const outcomes = {
      issue: issued,
      find: await outcome(issuer.find(asked.request.spki)),
      revoke: await outcome(issuer.revoke({ certificate: made.data.certificate, reason: 'superseded', byHand })),
      check: check.ready ? 'done' : { code: 'issuer_unavailable', message: check.detail, may: false },
    };
    for (const [verb, told] of Object.entries(outcomes)) {
      if (!failing.includes(verb)) expect([verb, told]).toEqual([verb, 'done']);
      else {
        expect(told).toMatchObject({ code: 'issuer_unavailable', may: false });
        expect(told).toMatchObject({ message: expect.stringContaining('policies/vault/keyturn-issuer.hcl') });
        expect(told).toMatchObject({
          message: expect.stringContaining(path.replace('pki/', `${mount}/`)),
        });
      }
    }
    expect(await full.check()).toMatchObject({ ready: true });
  });
});

test.each([
  [{ server_flag: true }, 'server_flag=false'],
  [{ client_flag: false }, 'client_flag=true'],
  [{ no_store: true }, 'no_store=false'],
  [{ key_usage: ['KeyAgreement'] }, 'key_usage=DigitalSignature'],
  [{ use_csr_sans: false }, 'use_csr_sans=true'],
  [{ ext_key_usage: ['ServerAuth'] }, 'ext_key_usage='],
])('a role that would issue something else is refused before it does: %o', async (role, fix) => {
  const { mount, options } = await makePki(server, { role });
  const issuer = await over(options);
  const asked = await anIssuance();
  const told = await outcome(issuer.issue(asked));
  expect(told).toMatchObject({ code: 'issuer_refused', may: false, message: expect.stringContaining(fix) });
  expect(await issuer.check()).toMatchObject({ ready: false, detail: expect.stringContaining(fix) });
  expect(await issuer.find(asked.request.spki)).toEqual([]);
  // The command that it says puts it right.
  const patch = Object.fromEntries([fix.split('=')].map(([name = '', value = '']) => [name, value]));
  await server.root({ method: 'POST', path: `${mount}/roles/keyturn`, body: { ...roleOf(role), ...patch } });
  expect(await outcome(issuer.issue(asked))).toBe('done');
});

function roleOf(role: object): object {
  return {
    allow_any_name: true,
    allowed_uri_sans: '*',
    client_flag: true,
    server_flag: false,
    key_type: 'any',
    key_usage: 'DigitalSignature',
    ...role,
  };
}

test.each([
  [{ allowed_domains: ['other.example'] }, 'does not allow a name'],
  [{ allowed_uri_sans: ['spiffe://other/*'] }, 'does not allow a name'],
  [{ key_type: 'rsa' }, 'does not allow this kind of key'],
])('what the role does not allow is refused, and told without quoting the engine: %o', async (role, says) => {
  const issuer = await over((await makePki(server, { role })).options);
  const told = await outcome(issuer.issue(await anIssuance()));
  expect(told).toMatchObject({ code: 'issuer_refused', may: false, message: expect.stringContaining(says) });
  expect(JSON.stringify(told)).not.toContain('payments.acme.example');
});

test('no such role, no such engine and a sealed server are told apart, and issue nothing', async () => {
  const { options } = await makePki(server);
  const role = await outcome((await over({ ...options, role: 'other' })).issue(await anIssuance()));
  expect(role).toMatchObject({ may: false, message: expect.stringContaining('policies/vault/keyturn-issuer.hcl') });
  const { ca, url } = server;
  const environment = { BAO_ADDR: url, BAO_CACERT_BYTES: ca.certificatePem, BAO_TOKEN: server.rootToken };
  const mount = await outcome((await over({ mount: 'nowhere', environment })).issue(await anIssuance()));
  expect(mount).toMatchObject({ may: false, message: expect.stringContaining('bao secrets enable pki') });
  const noRole = await outcome(
    (await over({ mount: options.mount ?? '', role: 'other', environment })).issue(await anIssuance()),
  );
  expect(noRole).toMatchObject({ code: 'issuer_refused', message: expect.stringContaining('has no role') });
});

describe('with trouble on the way', () => {
  async function behindProxy(more: Partial<VaultPkiOptions> = {}) {
    const { mount, options } = await makePki(server);
    const { ca, url: upstream } = server;
    const proxy = await FaultProxy.start({ server: await ca.server(), upstream, ca: ca.certificatePem });
    const environment = { ...options.environment, BAO_ADDR: proxy.url };
    return { proxy, mount, issuer: await over({ ...options, ...more, environment }) };
  }

  test('an answer that is lost after the signature is found by the key, and asked for once', async () => {
    const { proxy, issuer, mount } = await behindProxy();
    await using _ = proxy;
    proxy.fault = only(['POST'], /sign/, losingAnswers);
    const asked = await anIssuance();
    expect(await issuer.issue(asked)).toMatchObject({
      kind: 'issued',
      mismatches: [],
      certificate: { spki: asked.request.spki },
    });
    expect(proxy.seen.filter((each) => each.includes('/sign/'))).toHaveLength(1);
    expect(await issuer.find(asked.request.spki)).toHaveLength(1);
    expect(mount).toBeTruthy();
  });

  test('a request that is lost on the way stays in doubt, and is issued once when it is resumed', async () => {
    const { proxy, issuer } = await behindProxy();
    await using _ = proxy;
    proxy.fault = only(['POST'], /sign/, resetting);
    const asked = await anIssuance();
    expect(await outcome(issuer.issue(asked))).toMatchObject({ code: 'issuer_unavailable', may: true });
    expect(proxy.seen.filter((each) => each.includes('/sign/'))).toHaveLength(1);
    proxy.fault = null;
    expect(await issuer.resume(asked)).toMatchObject({ kind: 'issued' });
    expect(await issuer.resume(asked)).toMatchObject({ kind: 'issued' });
    expect(await issuer.find(asked.request.spki)).toHaveLength(1);
  });

  test('a revocation whose answer is lost is asked for again, and stands', async () => {
    const { proxy, issuer } = await behindProxy();
    await using _ = proxy;
    const asked = await anIssuance();
    const { certificate } = (await issuer.issue(asked)) as Issued;
    let first = true;
    proxy.fault = only(['POST'], /revoke/, async (request, response, forward, body) => {
      const answer = await forward();
      if (first) request.socket.destroy();
      else await answeringWith(answer.status, 'application/json', answer.body)(request, response, forward, body);
      first = false;
    });
    const { byHand } = asked;
    const told = await issuer.revoke({ certificate: certificate.pem, reason: 'superseded', byHand });
    expect(told).toEqual({ kind: 'revoked', reasonKept: false });
    expect(await issuer.find(asked.request.spki)).toMatchObject([{ revoked: true }]);
  });

  test('a server that is gone has certainly issued nothing, and its check says so', async () => {
    const { proxy, issuer } = await behindProxy({ maxRetries: 0 });
    await proxy.pause();
    expect(await outcome(issuer.issue(await anIssuance()))).toMatchObject({ code: 'issuer_unavailable', may: false });
    expect(await issuer.check()).toMatchObject({ ready: false, detail: expect.stringMatching(/\w/) });
  });

  test('what answers without a certificate leaves it in doubt', async () => {
    const { proxy, issuer } = await behindProxy();
    await using _ = proxy;
    proxy.fault = only(['POST'], /sign/, (_request, response) => void response.end('{"data":{}}'));
    expect(await outcome(issuer.issue(await anIssuance()))).toMatchObject({ code: 'issuer_unavailable', may: true });
  });

  test('no token stands in any error', async () => {
    const { proxy, issuer } = await behindProxy({ maxRetries: 0 });
    await using _ = proxy;
    proxy.fault = (request, response) => void response.writeHead(500).end(JSON.stringify(request.headers));
    const { request, byHand } = await anIssuance();
    const told = [
      await outcome(issuer.issue(await anIssuance())),
      await outcome(issuer.find(request.spki)),
      await outcome(issuer.revoke({ certificate: server.ca.certificatePem, reason: 'superseded', byHand })),
      await issuer.check(),
    ];
    const [token = 'none'] = proxy.tokens;
    expect(token.length).toBeGreaterThan(20);
    expect(JSON.stringify(told)).not.toContain(token);
  });
});

test('more certificates than are looked through are not looked through: it can’t say', async () => {
  const { options } = await makePki(server);
  const issuer = await over({ ...options, findLimit: 3 });
  const asked = await anIssuance();
  await issuer.issue(asked);
  await issuer.issue(await anIssuance());
  expect(await issuer.find(asked.request.spki)).toHaveLength(1);
  await issuer.issue(await anIssuance());
  expect(await issuer.find(asked.request.spki)).toBeNull();
  await expect(issuer.resume(asked)).rejects.toMatchObject({ code: 'issuer_refused' });
});

test('a certificate is looked at once, whatever is looked for afterwards', async () => {
  const { options } = await makePki(server);
  const { ca, url: upstream } = server;
  await using proxy = await FaultProxy.start({ server: await ca.server(), upstream, ca: ca.certificatePem });
  const issuer = await over({ ...options, environment: { ...options.environment, BAO_ADDR: proxy.url } });
  const all = [await anIssuance(), await anIssuance(), await anIssuance()];
  for (const asked of all) await issuer.issue(asked);
  await issuer.find(all[0]?.request.spki ?? '');
  const before = proxy.seen.length;
  expect(await issuer.find(all[1]?.request.spki ?? '')).toHaveLength(1);
  expect(proxy.seen.slice(before).filter((each) => each.includes('/cert/'))).toHaveLength(1);
});
