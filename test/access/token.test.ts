import { createHash } from 'node:crypto';
import { inspect } from 'node:util';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { matchesHash, newToken, parseToken } from '../../src/access/token.ts';
import { SecretBytes } from '../../src/core/secret-bytes.ts';

const NOW = Date.parse('2026-11-23T10:00:00Z');

function fresh() {
  const { id, token, hash } = newToken(NOW);
  return { id, text: token.bytes.toString('ascii'), hash };
}

/** A well-formed token around `body`, which may be anything. */
function withChecksum(body: string): string {
  return `${body}_${crc32(body).toString(16).padStart(8, '0')}`;
}

describe('an API token', () => {
  it('proves itself against its stored hash', () => {
    const { id, text, hash } = fresh();
    const parsed = parseToken(`Bearer ${text}`);
    expect(parsed?.id).toBe(id);
    expect(matchesHash(parsed?.secret ?? null, hash)).toBe(true);
    expect(hash).toBe(createHash('sha256').update(parsed!.secret.bytes).digest('hex'));
  });

  it('has the form that scanners look for', () => {
    const { id, text } = fresh();
    expect(text).toMatch(/^ktn_[0-9a-f]{32}_[A-Za-z0-9_-]{43}_[0-9a-f]{8}$/);
    expect(text.slice(4, 36)).toBe(id.slice('token_'.length));
    expect(withChecksum(text.slice(0, -9))).toBe(text);
  });

  it('is another one each time, and its id tells when it was made', () => {
    const tokens = Array.from({ length: 100 }, fresh);
    expect(new Set(tokens.map(({ text }) => text)).size).toBe(100);
    expect(new Set(tokens.map(({ text }) => text.slice(37, 80))).size).toBe(100);
    expect(Number.parseInt(fresh().id.slice(6, 18), 16)).toBe(NOW);
  });

  it('does not pass for another', () => {
    const [one, other] = [fresh(), fresh()];
    const secret = parseToken(`Bearer ${one.text}`)!.secret;
    expect(matchesHash(secret, other.hash)).toBe(false);
  });

  it('does not match when it is unknown, malformed or stored badly', () => {
    const secret = SecretBytes.copyOf(Buffer.alloc(32));
    const hashOfZeros = createHash('sha256').update(Buffer.alloc(32)).digest('hex');
    expect(matchesHash(secret, null)).toBe(false);
    expect(matchesHash(null, hashOfZeros)).toBe(false);
    expect(matchesHash(null, null)).toBe(false);
    for (const hash of ['', 'zz', hashOfZeros.slice(2), `${hashOfZeros}00`, '00'.repeat(32)]) {
      expect(matchesHash(secret, hash)).toBe(false);
    }
    expect(matchesHash(secret, hashOfZeros)).toBe(true);
  });

  it('is read with any case of the scheme and with nothing else changed', () => {
    const { text } = fresh();
    expect(parseToken(`bearer ${text}`)).not.toBeNull();
    const changed = [
      undefined,
      '',
      text,
      `Basic ${text}`,
      `Bearer  ${text}`,
      `Bearer\t${text}`,
      ` Bearer ${text}`,
      `Bearer ${text} `,
      `Bearer ${text}\n`,
      `Bearer ${text},Bearer ${text}`,
      `Bearer ${text}=`,
      `Bearer ${text.toUpperCase()}`,
      `Bearer ${text.slice(0, -1)}`,
      `Bearer ${text.slice(0, -9)}`,
      `Bearer ${'k'.repeat(100_000)}`,
      `Bearer ${withChecksum(`${text.slice(0, 36)}_${'A'.repeat(42)}B`)}`,
      `Bearer ${withChecksum(`${text.slice(0, 36).toUpperCase().replace('KTN', 'ktn')}_${'A'.repeat(43)}`)}`,
    ];
    for (const header of changed) expect(parseToken(header)).toBeNull();
    expect(parseToken(`Bearer ${withChecksum(`ktn_${'0'.repeat(32)}_${'A'.repeat(43)}`)}`)).not.toBeNull();
  });

  it('is not read with any character changed: the checksum tells a slip of the hand', () => {
    const { text } = fresh();
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.stringMatching(/^[A-Za-z0-9_-]$/), (at, character) => {
        const changed = text.slice(0, at) + character + text.slice(at + 1);
        if (changed !== text) expect(parseToken(`Bearer ${changed}`)).toBeNull();
      }),
    );
  });

  it('shows nothing of itself when it is inspected or written as JSON', () => {
    const made = newToken(NOW);
    const text = made.token.bytes.toString('ascii');
    const parsed = parseToken(`Bearer ${text}`);
    for (const thing of [made, parsed]) {
      const shown = inspect(thing, { depth: 9, showHidden: true }) + JSON.stringify(thing);
      expect(shown).not.toContain(text.slice(40, 60));
      expect(shown).not.toContain(parsed!.secret.bytes.toString('hex').slice(0, 16));
    }
  });
});
