import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SecretBytes } from '../../../../src/core/secret-bytes.ts';
import { readBody, writeBody } from '../../../../src/keystore/vault/kv/record-body.ts';

const METADATA = { created_time: 'x', custom_metadata: { base64: 'QQ==' }, deletion_time: '', version: 1 };

function answer(data: unknown, metadata: unknown = METADATA): Buffer {
  return Buffer.from(JSON.stringify({ request_id: 'x', data: { data, metadata } }));
}

function codeOf(body: Buffer): string {
  try {
    readBody(body, 'secret/data/x').dispose();
    return 'read';
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : 'not ours';
  }
}

describe('the body of a record in Vault', () => {
  it('gives back any octets, and leaves none of them in the answer', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 12, maxLength: 300 }), (octets) => {
        using secret = SecretBytes.copyOf(octets);
        const sent: unknown = JSON.parse(writeBody(secret).toString());
        expect(sent).toEqual({ options: { cas: 0 }, data: { base64: Buffer.from(octets).toString('base64') } });
        const received = answer((sent as { data: object }).data);
        using read = readBody(received, 'secret/data/x');
        expect(read.bytes.equals(Buffer.from(octets))).toBe(true);
        expect(received.every((octet) => octet === 0)).toBe(true);
      }),
    );
  });

  it('refuses what Keyturn did not write', () => {
    for (const data of [
      {},
      { base64: '' },
      { base64: 'QQ' },
      { base64: 'QR==' },
      { base64: 'Q"Q=' },
      { base64: 1 },
      { base64: 'QQ==', more: 'x' },
      { password: 'x' },
      { a: '"base64":"QQ=="' },
      { nested: { base64: 'QQ==' } },
    ]) {
      expect([data, codeOf(answer(data))]).toEqual([data, 'keystore_corrupt']);
    }
  });

  it('does not take an answer without a version for a record', () => {
    expect(codeOf(answer({ base64: 'QQ==' }, {}))).toBe('keystore_unavailable');
    expect(codeOf(Buffer.from('{"data":{"base64":"QQ=="}}'))).toBe('keystore_unavailable');
  });

  it('is read or refused, whatever comes', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        expect(codeOf(Buffer.from(text))).toMatch(/^keystore_/);
      }),
    );
  });
});
