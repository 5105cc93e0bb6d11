import { createHash } from 'node:crypto';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeBase64url, encodeBase64url } from '../../src/core/encoding/base64url.ts';
import { isKeyturnError } from '../../src/core/errors.ts';
import { SecretBytes } from '../../src/core/secret-bytes.ts';
import { AnswerOpener, AnswerSealer, associatedData, FORMAT, MAX_CONTEXTS } from '../../src/sealed/answer.ts';
import type { AnswerBinding, SealedAnswer } from '../../src/sealed/envelope.ts';
import { decodeFrame, encodeFrame } from '../../src/sealed/frame.ts';
import { RecipientContext, SenderContext } from '../../src/sealed/hpke.ts';
import { generateX25519 } from '../../src/sealed/x25519.ts';
import vector from '../vectors/sealed-answer/v1.json' with { type: 'json' };
import { hex, pairOf, privateKeyOf } from './keys.ts';

const BINDING: AnswerBinding = {
  lease: 'lease_0199f0c1e2d37a3b8c4d5e6f70819293',
  credential: 'lean/sandbox',
  version: 3,
  spki: 'ab'.repeat(32),
  expiresAt: '2026-11-23T10:15:00.000Z',
};

function sealerFor(opener: AnswerOpener): AnswerSealer {
  return AnswerSealer.to(decodeBase64url(opener.publicKey, 32)!);
}

function secrets(value = 'private key octets') {
  return [
    { name: 'key', octets: SecretBytes.copyOf(Buffer.from(value)) },
    { name: 'companion/lean-app-token', octets: SecretBytes.copyOf(Buffer.from('token')) },
  ];
}

function refusal(open: () => unknown): string {
  try {
    open();
  } catch (error) {
    if (isKeyturnError(error, 'sealed_answer_invalid')) return `${error.message}|${error.fix}|${String(error.cause)}`;
    throw error;
  }
  throw new Error('The answer was opened.');
}

describe('a sealed answer', () => {
  it('gives the client process the secrets by name', () => {
    const opener = AnswerOpener.generate();
    const opened = opener.open(sealerFor(opener).seal(BINDING, secrets()), BINDING);
    expect([...opened.keys()]).toEqual(['key', 'companion/lean-app-token']);
    expect(opened.get('key')?.bytes.toString()).toBe('private key octets');
    expect(opened.get('companion/lean-app-token')?.bytes.toString()).toBe('token');
  });

  it('is one of many of its sealer, opened in any order, each once', () => {
    const opener = AnswerOpener.generate();
    const sealer = sealerFor(opener);
    const answers = ['a', 'b', 'c'].map((value) => sealer.seal(BINDING, secrets(value)));
    expect(new Set(answers.map(({ enc }) => enc)).size).toBe(1);
    expect(answers.map(({ seq }) => seq)).toEqual([0, 1, 2]);
    for (const i of [2, 0, 1]) {
      expect(opener.open(answers[i]!, BINDING).get('key')?.bytes.toString()).toBe('abc'[i]);
    }
    for (const answer of answers) refusal(() => opener.open(answer, BINDING));
  });

  it('comes from several sealers at a time, as from several replicas', () => {
    const opener = AnswerOpener.generate();
    const sealers = [sealerFor(opener), sealerFor(opener)];
    for (const i of [0, 1, 1, 0, 1]) {
      expect(opener.open(sealers[i]!.seal(BINDING, secrets()), BINDING).size).toBe(2);
    }
  });

  it.each([
    ['lease', { lease: 'lease_0199f0c1e2d37a3b8c4d5e6f70819294' }],
    ['credential', { credential: 'lean/production' }],
    ['version', { version: 4 }],
    ['spki', { spki: 'ac'.repeat(32) }],
    ['expiry', { expiresAt: '2026-11-23T10:15:00.001Z' }],
  ])('does not open under another %s', (_what, change) => {
    const opener = AnswerOpener.generate();
    const answer = sealerFor(opener).seal(BINDING, secrets());
    refusal(() => opener.open(answer, { ...BINDING, ...change }));
    expect(opener.open(answer, BINDING).size).toBe(2);
  });

  it('does not open for another process', () => {
    const answer = sealerFor(AnswerOpener.generate()).seal(BINDING, secrets());
    refusal(() => AnswerOpener.generate().open(answer, BINDING));
  });

  it('refuses every other text of any field with one and the same error', () => {
    const opener = AnswerOpener.generate();
    const answer = sealerFor(opener).seal(BINDING, secrets());
    const other = sealerFor(opener).seal(BINDING, secrets());
    const broken: unknown[] = [
      { ...answer, seq: 1 },
      { ...answer, seq: -1 },
      { ...answer, seq: '0' },
      { ...answer, enc: other.enc },
      { ...answer, enc: `${answer.enc}=` },
      { ...answer, enc: encodeBase64url(Buffer.alloc(32)) },
      { ...answer, enc: '' },
      { ...answer, enc: 7 },
      { ...answer, ct: '' },
      { ...answer, ct: `${answer.ct} ` },
      { ...answer, ct: `${answer.ct}A` },
      { ...answer, ct: null },
      { ...answer, ct: other.ct },
      { ...answer, ct: 'A'.repeat(4_000_000) },
    ];
    const texts = new Set(broken.map((sealed) => refusal(() => opener.open(sealed as SealedAnswer, BINDING))));
    expect(texts.size).toBe(1);
    expect(opener.open(answer, BINDING).size).toBe(2);
  });

  it('refuses a well-sealed frame that is malformed', () => {
    const opener = AnswerOpener.generate();
    const context = SenderContext.create(decodeBase64url(opener.publicKey, 32)!, Buffer.from(FORMAT));
    const { seq, ct } = context.seal(associatedData(BINDING), Buffer.from('00', 'hex'));
    refusal(() => opener.open({ enc: encodeBase64url(context.enc), seq, ct: encodeBase64url(ct) }, BINDING));
  });

  it('keeps a context through any number of forgeries, and a bounded number of contexts', () => {
    const opener = AnswerOpener.generate();
    const first = sealerFor(opener);
    const spent = first.seal(BINDING, secrets());
    opener.open(spent, BINDING);
    for (let i = 0; i < MAX_CONTEXTS + 1; i++) {
      const forged = { ...spent, enc: encodeBase64url(generateX25519().publicKey) };
      refusal(() => opener.open(forged, BINDING));
    }
    refusal(() => opener.open(spent, BINDING));
    for (let i = 0; i < MAX_CONTEXTS; i++) opener.open(sealerFor(opener).seal(BINDING, secrets()), BINDING);
    expect(opener.open(spent, BINDING).size).toBe(2);
  });

  it('shows nothing of key or secrets when its parts are inspected or written as JSON', () => {
    const opener = AnswerOpener.generate();
    const sealer = sealerFor(opener);
    const canary = 'canary-0123456789';
    const answer = sealer.seal(BINDING, secrets(canary));
    const opened = opener.open(answer, BINDING);
    for (const thing of [opener, sealer, answer, opened]) {
      const shown = inspect(thing, { depth: 10, showHidden: true }) + JSON.stringify(thing);
      for (const form of ['utf8', 'hex', 'base64', 'base64url'] as const) {
        expect(shown).not.toContain(Buffer.from(canary).toString(form).slice(0, 12));
      }
    }
  });

  it('leaves the secrets it was given to their owner', () => {
    const mine = secrets();
    sealerFor(AnswerOpener.generate()).seal(BINDING, mine);
    expect(mine[0]?.octets.bytes.toString()).toBe('private key octets');
  });

  it('is never the same twice', () => {
    const opener = AnswerOpener.generate();
    const sealer = sealerFor(opener);
    expect(sealer.seal(BINDING, secrets()).ct).not.toBe(sealer.seal(BINDING, secrets()).ct);
    expect(sealerFor(opener).seal(BINDING, secrets()).enc).not.toBe(sealer.seal(BINDING, secrets()).enc);
  });
});

describe('the associated data', () => {
  it('is made of the five fields alone, whatever else the object carries', () => {
    expect(associatedData({ ...BINDING, receipt: 'x' } as AnswerBinding)).toEqual(associatedData(BINDING));
  });

  it('differs for any two bindings that differ', () => {
    const binding = fc.record({
      lease: fc.string(),
      credential: fc.string(),
      version: fc.nat(),
      spki: fc.string(),
      expiresAt: fc.string(),
    });
    fc.assert(
      fc.property(binding, binding, (a, b) => {
        expect(associatedData(a).equals(associatedData(b))).toBe(JSON.stringify(a) === JSON.stringify(b));
      }),
    );
  });
});

describe('the vector of docs/formats/sealed-answer.md', () => {
  const secretsOfVector = () =>
    vector.secrets.map(({ name, octets }) => ({ name, octets: SecretBytes.own(hex(octets)) }));

  it('is what we seal, octet for octet', () => {
    expect(encodeFrame(secretsOfVector()).bytes.toString('hex')).toBe(vector.frame);
    expect(associatedData(vector.binding).toString()).toBe(vector.associatedData);
    const ephemeral = pairOf(hex(vector.ephemeralPrivateKey));
    const context = SenderContext.create(hex(vector.recipientPublicKey), Buffer.from(vector.info), { ephemeral });
    expect(encodeBase64url(context.enc)).toBe(vector.sealed.enc);
    const { seq, ct } = context.seal(associatedData(vector.binding), hex(vector.frame));
    expect({ seq, ct: encodeBase64url(ct) }).toEqual({ seq: vector.sealed.seq, ct: vector.sealed.ct });
    expect(FORMAT).toBe(vector.info);
  });

  it('is what we open', () => {
    const enc = decodeBase64url(vector.sealed.enc, 32)!;
    const context = RecipientContext.create(enc, privateKeyOf(hex(vector.recipientPrivateKey)), Buffer.from(FORMAT));
    const ct = decodeBase64url(vector.sealed.ct)!;
    const opened = decodeFrame(context.open(associatedData(vector.binding), { seq: vector.sealed.seq, ct })!);
    expect([...opened!].map(([name, octets]) => ({ name, octets: octets.bytes.toString('hex') }))).toEqual(
      vector.secrets,
    );
  });
});

it('names whom it seals to by the SHA-256 of the public key', () => {
  const [one, other] = [generateX25519().publicKey, generateX25519().publicKey];
  for (const key of [one, other]) {
    expect(AnswerSealer.to(key).recipient).toBe(createHash('sha256').update(key).digest('hex'));
  }
});
