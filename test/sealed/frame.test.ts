import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SecretBytes } from '../../src/core/secret-bytes.ts';
import { decodeFrame, encodeFrame, MAX_FRAME_LENGTH, MAX_SECRET_LENGTH, MAX_SECRETS } from '../../src/sealed/frame.ts';

function named(name: string, octets: Uint8Array) {
  return { name, octets: SecretBytes.copyOf(octets) };
}

function text(frame: Map<string, SecretBytes> | null): Record<string, string> | null {
  return frame && Object.fromEntries([...frame].map(([name, octets]) => [name, octets.bytes.toString('hex')]));
}

const names = fc
  .stringMatching(/^[a-z0-9][a-z0-9._-]{0,63}$/)
  .map((name) => `companion/${name}`)
  .filter((name) => name.length <= 74);
const secrets = fc.uniqueArray(
  fc.record({ name: fc.oneof(fc.constant('key'), names), octets: fc.uint8Array({ minLength: 1, maxLength: 300 }) }),
  { minLength: 1, maxLength: MAX_SECRETS, selector: ({ name }) => name },
);

describe('a frame of named secrets', () => {
  it('has the octets that the format page prints', () => {
    const frame = encodeFrame([named('key', Buffer.from([0xca, 0xfe])), named('companion/t', Buffer.from('x'))]);
    expect(frame.bytes.toString('hex')).toBe(
      '02' + '03' + '6b6579' + '00000002' + 'cafe' + '0b' + '636f6d70616e696f6e2f74' + '00000001' + '78',
    );
  });

  it('gives back what went in, whatever it is', () => {
    fc.assert(
      fc.property(secrets, (list) => {
        const frame = encodeFrame(list.map(({ name, octets }) => named(name, octets)));
        expect(text(decodeFrame(frame.bytes))).toEqual(
          Object.fromEntries(list.map(({ name, octets }) => [name, Buffer.from(octets).toString('hex')])),
        );
      }),
    );
  });

  it('reads nothing but what it would write itself', () => {
    const almost = secrets.chain((list) => {
      const frame = encodeFrame(list.map(({ name, octets }) => named(name, octets))).bytes;
      const at = fc.nat(frame.length - 1);
      return fc.tuple(at, fc.nat(255)).map(([index, octet]) => {
        const changed = Buffer.from(frame);
        changed[index] = octet;
        return changed;
      });
    });
    fc.assert(
      fc.property(
        fc.oneof(
          almost,
          fc.uint8Array({ maxLength: 60 }).map((octets) => Buffer.from(octets)),
        ),
        (octets) => {
          const read = decodeFrame(octets);
          if (read === null) return;
          const again = encodeFrame([...read].map(([name, secret]) => ({ name, octets: secret })));
          expect(again.bytes.equals(octets)).toBe(true);
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it('refuses every cut and every trailing octet', () => {
    const frame = encodeFrame([named('key', Buffer.alloc(40, 1)), named('companion/a', Buffer.alloc(9, 2))]).bytes;
    for (let length = 0; length < frame.length; length++) expect(decodeFrame(frame.subarray(0, length))).toBeNull();
    expect(decodeFrame(Buffer.concat([frame, Buffer.from([0])]))).toBeNull();
    expect(decodeFrame(frame)).not.toBeNull();
  });

  it('refuses a name twice, in either direction', () => {
    const one = Buffer.from('036b65790000000178', 'hex');
    expect(decodeFrame(Buffer.concat([Buffer.from([1]), one]))).not.toBeNull();
    expect(decodeFrame(Buffer.concat([Buffer.from([2]), one, one]))).toBeNull();
    expect(() => encodeFrame([named('key', Buffer.from('x')), named('key', Buffer.from('y'))])).toThrow(
      expect.objectContaining({ code: 'invalid_input' }),
    );
  });

  it.each(['', 'Key', 'key ', 'companion/', 'companion/A', 'companion/../key', 'companion/a/b', 'chain', 'kéy'])(
    'writes no secret under the name "%s"',
    (name) => {
      expect(() => encodeFrame([named(name, Buffer.from('x'))])).toThrow(
        expect.objectContaining({ code: 'invalid_input' }),
      );
    },
  );

  it('holds its limits: no secret, an empty one, too many, one too long', () => {
    const many = Array.from({ length: MAX_SECRETS + 1 }, (_, i) => named(`companion/${i}`, Buffer.from('x')));
    for (const list of [
      [],
      [named('key', Buffer.alloc(0))],
      many,
      [named('key', Buffer.alloc(MAX_SECRET_LENGTH + 1))],
    ]) {
      expect(() => encodeFrame(list)).toThrow(expect.objectContaining({ code: 'invalid_input' }));
    }
    expect(decodeFrame(Buffer.from('00', 'hex'))).toBeNull();
    expect(decodeFrame(Buffer.from('01036b657900000000', 'hex'))).toBeNull();
    const long = Buffer.concat([Buffer.from('01036b657900010001', 'hex'), Buffer.alloc(MAX_SECRET_LENGTH + 1)]);
    expect(decodeFrame(long)).toBeNull();
  });

  it('fits its largest frame into the announced length', () => {
    const name = (i: number) => `companion/${String(i).padStart(64, 'a')}`;
    const list = Array.from({ length: MAX_SECRETS }, (_, i) => named(name(i), Buffer.alloc(MAX_SECRET_LENGTH)));
    const frame = encodeFrame(list);
    expect(frame.length).toBe(MAX_FRAME_LENGTH);
    expect(decodeFrame(frame.bytes)?.size).toBe(MAX_SECRETS);
  });

  it('gives secrets of their own, so that wiping the frame leaves them whole', () => {
    const frame = encodeFrame([named('key', Buffer.from([1, 2, 3]))]);
    const read = decodeFrame(frame.bytes);
    frame.dispose();
    expect(text(read)).toEqual({ key: '010203' });
  });
});
