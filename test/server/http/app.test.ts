import { connect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { OPENER, Stage } from '../../credential/stage.ts';

let stage: Stage;
let payments: string;
beforeAll(async () => {
  stage = await Stage.set();
  payments = await stage.keyturn.grant('service:payments', 'service');
  await stage.import();
});
afterAll(() => stage.strike());

/** A request octet by octet, since clients clean paths up. */
async function raw(text: string): Promise<{ status: number; text: string }> {
  const { hostname, port } = new URL(stage.keyturn.url);
  const socket = connect({ host: hostname, port: Number(port), ca: await stage.keyturn.ca, servername: 'localhost' });
  socket.write(text);
  let answer = '';
  for await (const chunk of socket) answer += String(chunk);
  return { status: Number(answer.split(' ')[1]), text: answer };
}

function target(method: string, path: string, token: string | null = stage.keyturn.admin): string {
  const authorization = token === null ? '' : `Authorization: Bearer ${token}\r\n`;
  const [type, body] =
    method === 'PUT'
      ? ['application/octet-stream', 'x']
      : ['application/json', path.includes('lease') ? LEASE : REVEAL];
  const content = method.startsWith('P') ? `Content-Type: ${type}\r\nContent-Length: ${body.length}\r\n` : '';
  const head = `${method} ${path} HTTP/1.1\r\nHost: localhost\r\n${authorization}${content}Connection: close\r\n\r\n`;
  return content === '' ? head : head + body;
}

const LEASE = JSON.stringify({ hpkePublicKey: OPENER.publicKey, seen: 0 });
const REVEAL = JSON.stringify({ hpkePublicKey: OPENER.publicKey, reason: 'x' });

/** What an attacker makes of a path, hoping that one rule reads it otherwise than another. */
function spellings(path: string): string[] {
  const upper = path.replace(/[a-z]/g, (letter) => letter.toUpperCase());
  const fullWidth = encodeURI(path.replace('a', '\uff41'));
  return [
    upper,
    path.replace('/v1', '/V1'),
    path.replace('lean', 'Lean'),
    path.replace('%2F', '%252F'),
    path.replace('%2F', '%5C'),
    path.replace('%2F', '%2F%2F'),
    path.replace('%2F', '%2F.%2F'),
    path.replace('%2F', '%2Fx%2F..%2F'),
    path.replace('lean', '%6Cean'),
    path.replace('lean', 'lean%00'),
    path.replace('lean', 'lean%20'),
    path.replace('lean', '%20lean'),
    path.replace('lean', 'le\u0301an'),
    path.replace('/v1/', '//v1/'),
    path.replace('/v1/', '/v1//'),
    path.replace('/v1/', '/./v1/'),
    path.replace('/v1/', '/v1/./'),
    path.replace('/v1/', '/x/../v1/'),
    path.replace('/v1/', '/v1/%2E%2E/v1/'),
    path.replace('/v1/', '/v1/%2e/'),
    path.replace('/v1/', '/v1;a=b/'),
    path.replace('/v1/', '\\v1\\'),
    `${path}/`,
    `${path}//`,
    `${path}/.`,
    `${path}/..`,
    `${path}%2F`,
    `${path}%00`,
    `${path}.json/`,
    `${path}#x`,
    `${path};x`,
    fullWidth,
    encodeURI(path.normalize('NFD').replace('e', 'e\u0301')),
    encodeURI(path.replace('e', '\u00e9')),
    `http://localhost${path}`,
    `https://evil.example${path}`,
  ].filter((spelling) => spelling !== path);
}

const ROUTES = [
  ['GET', '/v1/credentials'],
  ['GET', '/v1/credentials/lean%2Fsandbox'],
  ['POST', '/v1/credentials/lean%2Fsandbox/leases'],
  ['POST', '/v1/credentials/lean%2Fsandbox/versions/1/promote'],
  ['POST', '/v1/credentials/lean%2Fsandbox/versions/1/reveal'],
  ['PUT', '/v1/credentials/lean%2Fsandbox/companions/lean-app-token'],
  ['GET', '/v1/holds'],
  ['GET', '/v1/tokens'],
  ['GET', '/v1/audit/entries'],
  ['GET', '/v1/audit/checkpoint'],
  ['GET', '/v1/audit/entries/0/receipt'],
  ['GET', '/v1/whoami'],
] as const;

test('a request with two tokens is nobody’s, whichever of them is good', async () => {
  const bearer = (token: string) => `Authorization: Bearer ${token}\r\n`;
  const ask = (headers: string) =>
    raw(`GET /v1/whoami HTTP/1.1\r\nHost: localhost\r\n${headers}Connection: close\r\n\r\n`);
  const [good, bad] = [bearer(stage.keyturn.admin), bearer('bad')];
  expect((await ask(good)).status).toBe(200);
  for (const both of [good + good, good + bad, bad + good]) expect((await ask(both)).status).toBe(401);
});

describe('one spelling a path', () => {
  test.each(ROUTES)(
    '%s %s in any other spelling is 400 or 404 for everybody, never another decision',
    async (method, path) => {
      const outcomes = await Promise.all(
        spellings(path).map(async (spelling) => [spelling, (await raw(target(method, spelling))).status] as const),
      );
      const bypasses = outcomes.filter(([, status]) => status !== 400 && status !== 404);
      // These two name the same resource again: a query or fragment is no part of the path.
      expect(bypasses.filter(([spelling]) => !spelling.endsWith('#x'))).toEqual([]);
    },
  );

  test('a slash in lower-case %2f is the same name with the same decision', async () => {
    for (const token of [stage.keyturn.admin, payments]) {
      const [upper, lower] = await Promise.all(
        ['%2F', '%2f'].map((slash) => raw(target('GET', `/v1/credentials/lean${slash}sandbox`, token))),
      );
      expect(lower?.status).toBe(upper?.status);
    }
  });
});

describe('a route that is asked often', () => {
  const LEASES = '/v1/credentials/lean%2Fsandbox/leases';
  const head = (text: string): string =>
    text.split('\r\n\r\n', 1)[0]?.replace(/^(date|x-request-id|content-length):.*$/gim, '') ?? '';

  test('answers alike, headers and all, by the short way and by the long one, which a query asks for', async () => {
    for (const token of [payments, stage.keyturn.admin, null]) {
      const short = await raw(target('POST', LEASES, token));
      const long = await raw(target('POST', `${LEASES}?x=1`, token));
      expect([short.status, head(short.text)]).toEqual([long.status, head(long.text)]);
      expect(short.text).toMatch(/^x-content-type-options: nosniff/im);
      expect(short.text).toMatch(/^x-request-id: request_/im);
    }
  });

  test('a credential that there is not, and a name that is none, are refused alike', async () => {
    for (const name of ['lean%2Fproduction', 'x', 'lean%2F%2Fsandbox', '%2F', 'LEAN%2FSANDBOX']) {
      const path = `/v1/credentials/${name}/leases`;
      const [short, long] = [await raw(target('POST', path)), await raw(target('POST', `${path}?x=1`))];
      expect([name, short.status, head(short.text)]).toEqual([name, long.status, head(long.text)]);
      expect(short.status).toBeGreaterThanOrEqual(400);
    }
  });
});

describe('methods', () => {
  test('a method that a path does not have is 405 with what it has', async () => {
    const reply = await stage.keyturn.call('PATCH', '/v1/tokens');
    expect(reply).toMatchObject({ status: 405, body: { code: 'method_not_allowed' } });
    expect(reply.headers['allow']?.split(', ').sort()).toEqual(['GET', 'HEAD', 'POST']);
  });

  test.each(['TRACE', 'OPTIONS', 'PATCH', 'PROPFIND'])('%s does nothing anywhere', async (method) => {
    for (const [, path] of ROUTES) expect((await raw(target(method, path))).status).toBe(405);
  });

  test('CONNECT and an unknown method get no further than the parser', async () => {
    expect((await raw(target('CONNECT', 'localhost:1'))).text).not.toContain('200');
    expect((await raw(target('FROB', '/v1/tokens'))).status).toBe(400);
  });

  test('a header does not change the method', async () => {
    const headers = { 'x-http-method-override': 'DELETE', 'x-method-override': 'DELETE', 'x-http-method': 'DELETE' };
    const reply = await stage.keyturn.call('GET', `/v1/tokens?_method=DELETE`, { headers });
    expect(reply.status).toBe(200);
    expect(await stage.keyturn.entries('token.revoked')).toEqual([]);
  });

  test('HEAD is decided like GET', async () => {
    expect((await stage.keyturn.call('HEAD', '/v1/tokens', { token: null })).status).toBe(401);
    expect((await stage.keyturn.call('HEAD', '/v1/tokens', { token: payments })).status).toBe(403);
  });
});

describe('hostile headers', () => {
  test.each(['__proto__', 'constructor', 'prototype'])(
    'a header named %s changes nothing on any route',
    async (name) => {
      for (const [method, path] of ROUTES) {
        const plain = await raw(target(method, path, null));
        const dressed = await raw(target(method, path, null).replace('Host:', `${name}: admin\r\nHost:`));
        expect(dressed.status).toBe(plain.status);
        expect(dressed.status).toBe(401);
      }
      expect(({} as Record<string, unknown>)['admin']).toBeUndefined();
    },
  );

  test('a query that names a prototype changes nothing', async () => {
    for (const query of [
      '__proto__=x',
      '__proto__[limit]=1',
      'constructor=x',
      'limit=1&limit=2',
      'limit[]=1',
      'frob=1',
    ]) {
      expect((await stage.keyturn.call('GET', `/v1/audit/entries?${query}`)).status).toBe(400);
    }
  });

  test('no answer says what the server is made of', async () => {
    for (const path of ['/', '/livez', '/v1/whoami', '/nothing']) {
      const { headers } = await stage.keyturn.call('GET', path);
      expect(headers).not.toHaveProperty('x-powered-by');
      expect(headers).not.toHaveProperty('server');
      expect(headers['x-content-type-options']).toBe('nosniff');
      expect(headers['strict-transport-security']).toMatch(/max-age=\d+/);
      expect(headers['x-request-id']).toMatch(/^request_[0-9a-f]{32}$/);
    }
  });

  test('what found no route is on the log and in the metrics too', async () => {
    const { headers } = await stage.keyturn.call('GET', '/nothing/here');
    expect(stage.keyturn.log.join('')).toContain(headers['x-request-id']);
    expect((await stage.keyturn.call('GET', '/metrics')).text).toMatch(
      /keyturn_http_requests_total\{operation="none",status="404"\} [1-9]/,
    );
  });
});

test.each(['lean%2Fsandbox%2Fpayouts', 'lean%2fsandbox%2fpayouts', 'lean%2Fsandbox%2fpayouts'])(
  'a name of three parts is one name however its slashes are written: %s',
  async (name) => {
    const { text } = await raw(target('POST', `/v1/credentials/${name}/leases`, payments));
    expect(text).toContain('lean/sandbox/payouts');
    expect(text).not.toMatch(/^HTTP\/1.1 400/);
  },
);

test('an answer beyond ASCII has as many octets as it says', async () => {
  const comment = 'für Łódź und 東京';
  await stage.post('/v1/tokens', { json: { principal: 'service:billing', ttlSeconds: 60, comment } });
  const { text } = await raw(target('GET', '/v1/tokens'));
  const [head = '', body = ''] = text.split('\r\n\r\n');
  expect(/^content-length: (\d+)/im.exec(head)?.[1]).toBe(String(Buffer.byteLength(body)));
  expect(body).toContain(comment);
});
