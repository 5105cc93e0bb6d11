import { connect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SecretBytes } from '../../../src/core/secret-bytes.ts';
import { OPENER, Stage } from '../../credential/stage.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.set();
  await stage.import();
});
afterAll(() => stage.strike());

const JSON_TYPE = { 'content-type': 'application/json' };
const TOKENS = '/v1/tokens';

/** A body in chunks, without a content-length; `cut` hangs up in the middle. */
async function chunked(path: string, type: string, chunks: readonly string[], cut = false): Promise<string> {
  const { port } = new URL(stage.keyturn.url);
  const socket = connect({
    host: '127.0.0.1',
    port: Number(port),
    ca: await stage.keyturn.ca,
    servername: 'localhost',
  });
  socket.write(
    `POST ${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${stage.keyturn.admin}\r\n` +
      `Content-Type: ${type}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n`,
  );
  for (const chunk of chunks) socket.write(`${chunk.length.toString(16)}\r\n${chunk}\r\n`);
  if (cut) socket.write('1\r\n', () => socket.destroy());
  else socket.write('0\r\n\r\n');
  let answer = '';
  try {
    for await (const data of socket) answer += String(data);
  } catch {
    return answer;
  }
  return answer;
}

describe('limits before parsing', () => {
  test('64 KiB and an octet of JSON is 413, announced or in chunks', async () => {
    const body = Buffer.from(`"${'x'.repeat(64 * 1024 - 1)}"`);
    const announced = await stage.post(TOKENS, { raw: body, headers: JSON_TYPE });
    expect(announced).toMatchObject({ status: 413, body: { code: 'payload_too_large' } });
    expect(await chunked(TOKENS, 'application/json', [body.toString()])).toMatch(/^HTTP\/1.1 413 /);
  });

  test('a body that goes on long past the limit gets its answer too', async () => {
    const answer = await chunked(TOKENS, 'application/json', Array<string>(64).fill('x'.repeat(16_384)));
    expect(answer).toMatch(/^HTTP\/1.1 413 [\s\S]*payload_too_large/);
  });

  test('10 GiB announced is 413 at once', async () => {
    const { port } = new URL(stage.keyturn.url);
    const socket = connect({
      host: '127.0.0.1',
      port: Number(port),
      ca: await stage.keyturn.ca,
      servername: 'localhost',
    });
    socket.write(
      `POST ${TOKENS} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${stage.keyturn.admin}\r\n` +
        'Content-Type: application/json\r\nContent-Length: 10737418240\r\n\r\n',
    );
    const [answer] = await new Promise<Buffer[]>((resolve) => socket.once('data', (...all) => resolve(all)));
    socket.destroy();
    expect(String(answer)).toMatch(/^HTTP\/1.1 413 /);
  });

  test('an upload of more than 3 MiB in chunks is 413', async () => {
    const part = '--x\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\n';
    const path = '/v1/credentials/lean%2Fsandbox/versions';
    const answer = await chunked(path, 'multipart/form-data; boundary=x', [
      part,
      ...Array<string>(49).fill('x'.repeat(65_536)),
    ]);
    expect(answer).toMatch(/^HTTP\/1.1 413 /);
  });

  test('a client that hangs up in the middle of a body leaves nothing waiting', async () => {
    const before = stage.keyturn.log.length;
    await chunked(TOKENS, 'application/json', ['{"principal":'], true);
    await expect.poll(() => stage.keyturn.log.slice(before).join('')).toContain('"operation":"createToken"');
  });
});

describe('content types', () => {
  const json = { principal: 'service:x', ttlSeconds: 60, comment: 'x' };
  const ask = (type: string, body: unknown = json) =>
    stage.post(TOKENS, { raw: Buffer.from(JSON.stringify(body)), headers: { 'content-type': type } });

  test.each([
    '',
    'application/json\t',
    ' application/json',
    'application/jsonp',
    'application/json5',
    'application/ json',
    'application /json',
    'application\\json',
    'application/json,text/plain',
    'text/plain,application/json',
    'text/json',
    'text/plain',
    'application/x-www-form-urlencoded',
    'application/vnd.api+json',
    'application/problem+json',
    'multipart/form-data; boundary=x',
    'application/octet-stream',
    '*/*',
    'application/*',
    'json',
    'application/json;',
    'application/json; charset=utf-8',
    'application/json; charset=utf-16',
    'application/json;charset=iso-8859-1',
    'APPLICATION/JSON',
    'Application/Json; a="b;c"',
    'application/json x',
    'application/json/x',
    'application/json\u00a0',
    '__proto__',
    'constructor',
    'application/json; __proto__=1',
  ])('%j is 415, or the body is checked as ever', async (type) => {
    const wrong = await ask(type, { ...json, extra: 1 });
    expect([400, 415]).toContain(wrong.status);
    const right = await ask(type);
    expect(right.status).toBe(wrong.status === 400 ? 201 : 415);
  });

  test('a compressed body is refused', async () => {
    for (const encoding of ['gzip', 'deflate', 'br', 'identity', 'zstd']) {
      const headers = { ...JSON_TYPE, 'content-encoding': encoding };
      expect((await stage.post(TOKENS, { raw: Buffer.from('{}'), headers })).status).toBe(415);
    }
  });
});

describe('what a body held is wiped when its request is over', () => {
  test('the octets of a companion', async () => {
    const seen: SecretBytes[] = [];
    const own = SecretBytes.own.bind(SecretBytes);
    SecretBytes.own = (bytes: Buffer) => {
      const secret = own(bytes);
      seen.push(secret);
      return secret;
    };
    try {
      expect((await stage.companion('s3cret')).status).toBe(200);
    } finally {
      SecretBytes.own = own;
    }
    expect(seen.length).toBeGreaterThan(0);
    expect(seen.every(({ disposed }) => disposed)).toBe(true);
  });

  test('every Buffer that was made of an upload, taken or refused', async () => {
    const issued = await stage.ca.client();
    const canary = issued.keyPem.split('\n')[1] ?? '';
    for (const file of [await stage.file(issued), Buffer.from(`${issued.keyPem}no certificate`)]) {
      const made: Buffer[] = [];
      const allocUnsafeSlow = Buffer.allocUnsafeSlow.bind(Buffer);
      Buffer.allocUnsafeSlow = (size: number) => {
        const buffer = allocUnsafeSlow(size);
        made.push(buffer);
        return buffer;
      };
      let spotted = 0;
      const write = stage.driver.write.bind(stage.driver);
      stage.driver.write = async (record, octets) => {
        spotted = made.filter((buffer) => buffer.includes(canary)).length;
        return write(record, octets);
      };
      const reply = await stage.keyturn.import('lean/sandbox', { 'all.pem': file });
      Buffer.allocUnsafeSlow = allocUnsafeSlow;
      stage.driver.write = write;
      if (reply.status === 201) expect(spotted).toBeGreaterThan(0);
      await expect.poll(() => made.filter((buffer) => buffer.includes(canary)).length).toBe(0);
    }
  });
});

test('what a parser says of a body reaches neither answer nor log', async () => {
  const secret = 'MIGHAgEAMBMGByqGSM49';
  const bodies = [`${secret}`, `{"principal":"${secret}","ttlSeconds":"${secret}","comment":1}`, `{"${secret}":1}`];
  for (const raw of bodies) {
    const reply = await stage.post(TOKENS, { raw: Buffer.from(raw), headers: JSON_TYPE });
    expect(reply).toMatchObject({ status: 400, body: { code: 'invalid_input' } });
    expect(reply.text).not.toContain(secret.slice(0, 6));
  }
  expect(stage.keyturn.log.join('')).not.toContain(secret.slice(0, 6));
});

test('what people write stays one line of the log and of the trail', async () => {
  const hostile = ['\r\nInjected: x', 'a\nb', '\u2028', '\u2029', '\u001b[31m', '\ufeffx', '\u0000', '\udc00'];
  for (const text of hostile) {
    const token = await stage.post(TOKENS, { json: { principal: 'service:x', ttlSeconds: 60, comment: `a${text}b` } });
    const hold = await stage.post('/v1/holds', {
      json: { target: 'credential', subject: 'lean/production', reason: `a${text}b` },
    });
    const path = `/v1/leases/lease_${'0'.repeat(32)}/renew`;
    const uses = [{ version: 1, host: `a${text}b`, requests: 1 }];
    const renewal = await stage.post(path, { json: { hpkePublicKey: OPENER.publicKey, seen: 0, uses } });
    expect([token.status, hold.status, renewal.status]).toEqual([400, 400, 400]);
  }
  for (const line of stage.keyturn.log) {
    expect(line.match(/[\p{Cc}\p{Zl}\p{Zp}\ufeff]/gu)).toEqual(['\n']);
    expect(() => JSON.parse(line)).not.toThrow();
  }
  const { text } = await stage.keyturn.call('GET', '/v1/audit/export');
  expect(text.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}\ufeff]/u);
});
