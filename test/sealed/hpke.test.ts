import { createHash } from 'node:crypto';
import * as peer from 'hpke';
import { describe, expect, it } from 'vitest';
import { isKeyturnError } from '../../src/core/errors.ts';
import { MAX_MESSAGES, REPLAY_WINDOW, RecipientContext, SenderContext } from '../../src/sealed/hpke.ts';
import { keySchedule, sharedSecret } from '../../src/sealed/key-schedule.ts';
import { agree, generateX25519 } from '../../src/sealed/x25519.ts';
import accumulated from '../vectors/hpke/accumulated.json' with { type: 'json' };
import printed from '../vectors/hpke/rfc9180-a1-base.json' with { type: 'json' };
import { deriveKeyPair, hex, pairOf, privateKeyOf } from './keys.ts';

const INFO = Buffer.from('a test');
const AAD = Buffer.from('aad');
const TEXT = Buffer.from('Beauty is truth');

function contexts(first?: number): { sender: SenderContext; recipient: RecipientContext } {
  const pair = generateX25519();
  const sender = SenderContext.create(pair.publicKey, INFO, first === undefined ? {} : { first });
  return { sender, recipient: RecipientContext.create(sender.enc, pair.privateKey, INFO) };
}

describe('HPKE against the vectors printed in RFC 9180 A.1.1', () => {
  it('derives the shared secret, the key and the base nonce', () => {
    const enc = hex(printed.enc);
    const secret = sharedSecret(agree(privateKeyOf(hex(printed.skRm)), enc), enc, hex(printed.pkRm));
    expect(secret.toString('hex')).toBe(printed.shared_secret);
    const keys = keySchedule('aes-128-gcm', secret, hex(printed.info));
    expect(keys.key.export().toString('hex')).toBe(printed.key);
    expect(keys.baseNonce.toString('hex')).toBe(printed.base_nonce);
    expect(secret.every((octet) => octet === 0)).toBe(true);
  });

  it.each(printed.encryptions)('seals and opens sequence number $seq', ({ seq, aad, pt, ct }) => {
    const sender = SenderContext.create(hex(printed.pkRm), hex(printed.info), {
      aead: 'aes-128-gcm',
      ephemeral: pairOf(hex(printed.skEm)),
      first: seq,
    });
    expect(sender.enc.toString('hex')).toBe(printed.enc);
    const sealed = sender.seal(hex(aad), hex(pt));
    expect(sealed.seq).toBe(seq);
    expect(sealed.ct.toString('hex')).toBe(ct);
    const recipientKey = privateKeyOf(hex(printed.skRm));
    const recipient = RecipientContext.create(hex(printed.enc), recipientKey, hex(printed.info), 'aes-128-gcm');
    expect(recipient.open(hex(aad), { seq, ct: hex(ct) })?.toString('hex')).toBe(pt);
  });
});

describe('HPKE against the accumulated vectors of the Go standard library', () => {
  it.each(accumulated.vectors)('seals and opens 1,000 messages with $aead', (vector) => {
    const aead = vector.aead === 'aes-128-gcm' ? 'aes-128-gcm' : 'aes-256-gcm';
    const recipientPair = deriveKeyPair(hex(vector.ikmR));
    expect(recipientPair.publicKey.toString('hex')).toBe(vector.pkRm);
    const ephemeral = deriveKeyPair(hex(vector.ikmE));
    const sender = SenderContext.create(hex(vector.pkRm), hex(vector.info), { aead, ephemeral });
    expect(sender.enc.toString('hex')).toBe(vector.enc);
    const recipient = RecipientContext.create(sender.enc, privateKeyOf(hex(vector.skRm)), hex(vector.info), aead);

    const draw = shakeStream();
    const ciphertexts = createHash('shake128', { outputLength: 16 });
    for (let i = 0; i < 1_000; i++) {
      const aad = draw();
      const text = draw();
      const sealed = sender.seal(aad, text);
      ciphertexts.update(sealed.ct);
      if (!recipient.open(aad, sealed)?.equals(text)) throw new Error(`message ${i} did not open`);
    }
    expect(ciphertexts.digest('hex')).toBe(vector.encryptions_accumulated);
  });

  function shakeStream(): () => Buffer {
    const stream = createHash('shake128', { outputLength: 2_000 * 256 }).digest();
    let at = 0;
    return () => {
      const length = stream[at]!;
      at += 1 + length;
      return stream.subarray(at - length, at);
    };
  }
});

describe('HPKE against a second implementation', () => {
  const suite = new peer.CipherSuite(peer.KEM_DHKEM_X25519_HKDF_SHA256, peer.KDF_HKDF_SHA256, peer.AEAD_AES_256_GCM);

  it('is opened by it', async () => {
    const pair = await suite.GenerateKeyPair(true);
    const sender = SenderContext.create(Buffer.from(await suite.SerializePublicKey(pair.publicKey)), INFO);
    const theirs = await suite.SetupRecipient(pair, sender.enc, { info: INFO });
    for (let i = 0; i < 3; i++) {
      expect(Buffer.from(await theirs.Open(sender.seal(AAD, TEXT).ct, AAD))).toEqual(TEXT);
    }
  });

  it('opens what it seals', async () => {
    const pair = generateX25519();
    const theirKey = await suite.DeserializePublicKey(pair.publicKey);
    const { encapsulatedSecret, ctx } = await suite.SetupSender(theirKey, { info: INFO });
    const ours = RecipientContext.create(Buffer.from(encapsulatedSecret), pair.privateKey, INFO);
    for (let seq = 0; seq < 3; seq++) {
      const ct = Buffer.from(await ctx.Seal(TEXT, AAD));
      expect(ours.open(AAD, { seq, ct })).toEqual(TEXT);
    }
  });
});

describe('a sender context', () => {
  it('takes each sequence number once and in order', () => {
    const { sender } = contexts();
    expect([1, 2, 3].map(() => sender.seal(AAD, TEXT).seq)).toEqual([0, 1, 2]);
  });

  it('does not take a number again after sealing failed halfway', () => {
    const { sender } = contexts();
    expect(() => sender.seal('not octets' as unknown as Buffer, null as unknown as Buffer)).toThrow();
    expect(sender.seal(AAD, TEXT).seq).toBe(1);
  });

  it('stops at its last sequence number', () => {
    const { sender, recipient } = contexts(MAX_MESSAGES - 1);
    expect(sender.exhausted).toBe(false);
    expect(recipient.open(AAD, sender.seal(AAD, TEXT))).toEqual(TEXT);
    expect(sender.exhausted).toBe(true);
    expect(() => sender.seal(AAD, TEXT)).toThrow(expect.objectContaining({ code: 'internal' }));
  });
});

describe('a recipient context', () => {
  it('opens messages in any order, each once', () => {
    const { sender, recipient } = contexts();
    const messages = [0, 1, 2, 3].map(() => sender.seal(AAD, TEXT));
    for (const message of messages.toReversed()) expect(recipient.open(AAD, message)).toEqual(TEXT);
    for (const message of messages) expect(recipient.open(AAD, message)).toBeNull();
  });

  it('lets a forgery use up no sequence number', () => {
    const { sender, recipient } = contexts();
    const message = sender.seal(AAD, TEXT);
    const forged = Buffer.from(message.ct);
    forged[0]! ^= 1;
    expect(recipient.open(AAD, { seq: 0, ct: forged })).toBeNull();
    expect(recipient.open(AAD, message)).toEqual(TEXT);
  });

  it('refuses what is behind the replay window, opened or not', () => {
    const { sender, recipient } = contexts();
    const messages = Array.from({ length: REPLAY_WINDOW + 1 }, () => sender.seal(AAD, TEXT));
    expect(recipient.open(AAD, messages.at(-1)!)).toEqual(TEXT);
    expect(recipient.open(AAD, messages[0]!)).toBeNull();
    expect(recipient.open(AAD, messages[1]!)).toEqual(TEXT);
    expect(recipient.open(AAD, messages[1]!)).toBeNull();
  });

  it('still refuses an opened message after its number left the window', () => {
    const { sender, recipient } = contexts();
    const messages = Array.from({ length: REPLAY_WINDOW * 2 }, () => sender.seal(AAD, TEXT));
    for (const message of messages) expect(recipient.open(AAD, message)).toEqual(TEXT);
    for (const message of messages) expect(recipient.open(AAD, message)).toBeNull();
  });

  it('refuses every flipped bit of the ciphertext and the tag, and every shorter ciphertext', () => {
    const { sender, recipient } = contexts();
    const { seq, ct } = sender.seal(AAD, TEXT);
    for (let bit = 0; bit < ct.length * 8; bit++) {
      const flipped = Buffer.from(ct);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      expect(recipient.open(AAD, { seq, ct: flipped })).toBeNull();
    }
    for (let length = 0; length < ct.length; length++) {
      expect(recipient.open(AAD, { seq, ct: ct.subarray(0, length) })).toBeNull();
    }
    expect(recipient.open(AAD, { seq, ct })).toEqual(TEXT);
  });

  it.each([-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, MAX_MESSAGES, 2 ** 53])(
    'refuses sequence number %s',
    (seq) => {
      const { sender, recipient } = contexts();
      expect(recipient.open(AAD, { seq, ct: sender.seal(AAD, TEXT).ct })).toBeNull();
    },
  );
});

describe('X25519', () => {
  // The points of small order, RFC 7748 section 6.1 and https://cr.yp.to/ecdh.html#validate.
  const smallOrder = [
    '0000000000000000000000000000000000000000000000000000000000000000',
    '0100000000000000000000000000000000000000000000000000000000000000',
    'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
    '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
    'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  ];

  it.each(smallOrder)('refuses to agree on nothing with the point %s', (point) => {
    for (const attempt of [
      () => SenderContext.create(hex(point), INFO),
      () => RecipientContext.create(hex(point), generateX25519().privateKey, INFO),
    ]) {
      expect(attempt).toThrow(expect.objectContaining({ code: 'invalid_input' }));
    }
  });

  it.each([0, 31, 33, 64])('refuses a public key of %s octets', (length) => {
    try {
      SenderContext.create(Buffer.alloc(length, 9), INFO);
      expect.unreachable();
    } catch (error) {
      expect(isKeyturnError(error, 'invalid_input')).toBe(true);
    }
  });
});
