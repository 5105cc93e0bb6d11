import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { agentFor, call, failure } from './call.ts';
import { startPartner } from './partner/partner.ts';
import { run } from './programs.ts';

test('two partners in one process share no CA, no token, no revocation, no switch and no record', async () => {
  await using sandbox = await startPartner();
  await using production = await startPartner({ environment: 'production', serverKey: 'rsa-2048' });
  expect(production.environment).toBe('production');
  expect(sandbox.appToken).not.toBe(production.appToken);
  const [mine, theirs] = [await sandbox.portal.generate(), await production.portal.generate()];

  // The server of one is unknown to who trusts the other, and so is the client.
  const atWrongServer = call(`${production.mtlsUrl}/whoami`, { ca: sandbox.chainPem, identity: mine });
  expect((await failure(atWrongServer)).code).toBe('UNABLE_TO_GET_ISSUER_CERT_LOCALLY');
  const stranger = await call(`${production.mtlsUrl}/whoami`, { ca: production.chainPem, identity: mine });
  expect(stranger.status).toBe(400);
  const headers = { 'lean-app-token': sandbox.appToken };
  expect((await call(`${production.tokenUrl}/banks/v1`, { ca: production.chainPem, headers })).status).toBe(401);

  expect(await production.revoke(mine.serial)).toBe(false);
  await production.set({ failWith: { status: 503 } });
  expect((await call(`${sandbox.mtlsUrl}/whoami`, { ca: sandbox.chainPem, identity: mine })).status).toBe(200);
  expect((await call(`${production.mtlsUrl}/whoami`, { ca: production.chainPem, identity: theirs })).status).toBe(503);
  expect(sandbox.seen.map(({ serial }) => serial)).toEqual([mine.serial]);
  expect(production.seen.map(({ serial }) => serial)).toEqual([theirs.serial]);
  expect([sandbox.refused.length, production.refused.length]).toEqual([0, 1]);
});

test('N identities calling at once are each seen as themselves', async () => {
  await using partner = await startPartner({ switches: { refuseBy: 'alert' } });
  const made = await Promise.all(Array.from({ length: 8 }, () => partner.portal.generate({ key: 'ec-p256' })));
  const agents = made.map((identity) => agentFor({ ca: partner.chainPem, identity }, true));
  const asked = Array.from({ length: 80 }, (_, i) => i % 8);
  const seen = await Promise.all(
    asked.map(async (i) => {
      const answer = await call(`${partner.mtlsUrl}/whoami`, { ca: partner.chainPem, agent: agents[i]! });
      return JSON.parse(answer.body).serial;
    }),
  );
  expect(seen).toEqual(asked.map((i) => made[i]!.serial));
  for (const agent of agents) agent.destroy();
});

test('stop cuts live connections, running requests and half-open handshakes, and frees every port', async () => {
  for (const refuseBy of ['alert', 'close'] as const) {
    const partner = await startPartner({ switches: { refuseBy } });
    const identity = await partner.portal.generate({ key: 'ec-p256' });
    const idle = agentFor({ ca: partner.chainPem, identity }, true);
    await call(`${partner.mtlsUrl}/whoami`, { ca: partner.chainPem, agent: idle });
    const mute = connect(Number(new URL(partner.mtlsUrl).port), '127.0.0.1').on('error', () => {});
    await once(mute, 'connect');
    await partner.set({ delayMs: 60_000 });
    const pending = call(`${partner.mtlsUrl}/whoami`, { ca: partner.chainPem, identity });
    const ended = expect(pending).rejects.toMatchObject({ code: 'ECONNRESET' });
    while (partner.seen.length < 2) await new Promise(setImmediate);

    await Promise.all([partner.stop(), once(mute, 'close')]);
    await ended;
    idle.destroy();
    expect(partner.liveSockets).toBe(0);
    const urls = [partner.portalUrl, partner.mtlsUrl, partner.tokenUrl];
    expect(await Promise.all(urls.map(probe))).toEqual(['ECONNREFUSED', 'ECONNREFUSED', 'ECONNREFUSED']);
  }
});

test('started from plain code, it runs, stops and lets the process end by itself', async () => {
  const module = new URL('./partner/partner.ts', import.meta.url);
  const script = `
    import { startPartner } from ${JSON.stringify(module.href)};
    const partner = await startPartner();
    const { zip } = await partner.portal.generate({ key: 'ec-p256' });
    await fetch(partner.portalUrl + '/apps/my_app/certificate-chain');
    await partner.stop();
    console.log(zip.length > 500);
  `;
  const ran = await run(process.execPath, ['--input-type=module', '--eval', script]);
  expect(ran).toEqual({ exitCode: 0, stdout: 'true\n', stderr: '' });
});

/** The code of the error that connecting brings. */
async function probe(url: string): Promise<unknown> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  try {
    await once(socket, 'connect');
    socket.destroy();
    return 'CONNECTED';
  } catch (error) {
    return error instanceof Error && 'code' in error ? error.code : error;
  }
}
