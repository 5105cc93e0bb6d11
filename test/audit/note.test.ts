import { generateKeyPairSync, sign } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  formatVkey,
  MAX_NOTE_BYTES,
  MAX_NOTE_SIGNATURES,
  type NoteKey,
  noteKey,
  openNote,
  parseVkey,
  signNote,
} from '../../src/audit/note.ts';
import { codeOf } from './log.ts';

// The worked example of the C2SP signed-note specification.
const SPEC_VKEY = 'example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k';
const SPEC_SIGNATURE = 'Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=';
const SPEC_NOTE = `This is an example message.\n\n— example.com/foo ${SPEC_SIGNATURE}\n`;

function pair(name: string) {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const key = noteKey(name, publicKey);
  return {
    key,
    sign: (text: string) => signNote(text, key, privateKey),
    line: (text: string) => signNote(text, key, privateKey).slice(text.length + 1),
    /** With a good signature over a text that `signNote` would refuse. */
    force(text: string): string {
      const octets = Buffer.concat([Buffer.from(key.id, 'hex'), sign(null, Buffer.from(text), privateKey)]);
      return `${text}\n— ${name} ${octets.toString('base64')}\n`;
    },
  };
}

const alice = pair('alice.example/log');
const bob = pair('bob.example/witness');
const TEXT = 'first\n\nthird\n';

function refuses(note: string, keys: readonly NoteKey[] = [alice.key]): void {
  expect(codeOf(() => openNote(note, keys))).toBe('audit_invalid');
}

test('the example of the specification verifies, and its key has one text', () => {
  const key = parseVkey(SPEC_VKEY);
  expect(openNote(SPEC_NOTE, [key])).toEqual({ text: 'This is an example message.\n', signedBy: [key] });
  expect(formatVkey(key)).toBe(SPEC_VKEY);
});

test('every change of one octet of the example is refused', () => {
  const key = parseVkey(SPEC_VKEY);
  const octets = Buffer.from(SPEC_NOTE, 'utf8');
  for (let at = 0; at < octets.length; at += 1) {
    for (const mask of [0x01, 0x20, 0x80]) {
      const changed = Buffer.from(octets);
      changed[at]! ^= mask;
      refuses(changed.toString('utf8'), [key]);
    }
  }
});

test('a text with empty lines is divided from the signatures at the last one', () => {
  expect(openNote(alice.sign(TEXT), [alice.key]).text).toBe(TEXT);
});

describe('signatures', () => {
  test('of unknown keys are ignored beside a known one', () => {
    const note = `${alice.sign(TEXT)}${bob.line(TEXT)}— who.knows AAAAAAA=\n`;
    expect(openNote(note, [alice.key]).signedBy).toEqual([alice.key]);
  });

  test('of unknown keys alone do not carry a note', () => {
    refuses(bob.sign(TEXT));
    refuses(alice.sign(TEXT), []);
  });

  test('of a key that shares the name or the id, not both, are ignored', () => {
    const sameName = pair(alice.key.name);
    const octets = Buffer.concat([Buffer.from(alice.key.id, 'hex'), Buffer.alloc(64)]);
    const sameId = `— other.example ${octets.toString('base64')}\n`;
    const note = alice.sign(TEXT) + sameName.line(TEXT) + sameId;
    expect(openNote(note, [alice.key]).signedBy).toEqual([alice.key]);
    refuses(`${TEXT}\n${sameName.line(TEXT)}${sameId}`);
  });

  test('of a known key refuse the whole note when one of them is bad, whatever else verifies', () => {
    const bad = bob.line('another text\n');
    refuses(alice.sign(TEXT) + bad, [alice.key, bob.key]);
    refuses(`${TEXT}\n${bad}${alice.line(TEXT)}`, [alice.key, bob.key]);
    expect(openNote(alice.sign(TEXT) + bad, [alice.key]).signedBy.length).toBe(1);
  });

  test('of one key count once, however often it signs', () => {
    const note = alice.sign(TEXT) + alice.line(TEXT) + bob.line(TEXT) + alice.line(TEXT);
    expect(openNote(note, [alice.key, bob.key]).signedBy).toEqual([alice.key, bob.key]);
  });

  test('that are shorter or longer than Ed25519 makes them do not verify', () => {
    for (const length of [1, 63, 65]) {
      const octets = Buffer.concat([Buffer.from(alice.key.id, 'hex'), Buffer.alloc(length)]);
      refuses(`${TEXT}\n— ${alice.key.name} ${octets.toString('base64')}\n`);
    }
  });

  test('up to the limit are read, one more is refused', () => {
    const fill = (count: number) => alice.sign(TEXT) + '— who.knows AAAAAAA=\n'.repeat(count - 1);
    expect(MAX_NOTE_SIGNATURES).toBeGreaterThanOrEqual(16);
    expect(openNote(fill(MAX_NOTE_SIGNATURES), [alice.key]).signedBy.length).toBe(1);
    refuses(fill(MAX_NOTE_SIGNATURES + 1));
  });
});

describe('a note is refused', () => {
  const line = alice.line(TEXT);
  test.each([
    ['without a signature', `${TEXT}\n`],
    ['without an empty line', `first\n${line}`],
    ['whose last line does not end', alice.sign(TEXT).slice(0, -1)],
    ['with a hyphen for the dash', `${TEXT}\n${line.replace('—', '-')}`],
    ['with two spaces', `${TEXT}\n${line.replace(' ', '  ')}`],
    ['with a field too many', `${TEXT}\n${line.trimEnd()} more\n`],
    ['with a carriage return', alice.force('a\r\n')],
    ['with a control character in the text', alice.force('a\u0001\n')],
    ['with a tab in the text', alice.force('a\tb\n')],
    ['with half of a surrogate pair', alice.force('\ud800\n')],
    ['with a plus in an unknown name', `${alice.sign(TEXT)}— a+b AAAAAAA=\n`],
    ['with a no-break space in an unknown name', `${alice.sign(TEXT)}— a\u00a0b AAAAAAA=\n`],
    ['with nothing but a key id', `${alice.sign(TEXT)}— who.knows AAAAAA==\n`],
    ['with base64 that has a second text', `${alice.sign(TEXT)}— who.knows AAAAAAB=\n`],
    ['with base64 without its padding', `${TEXT}\n${line.replaceAll('=', '')}`],
    ['that is empty', ''],
    ['over the size limit', alice.sign(`${'x'.repeat(MAX_NOTE_BYTES)}\n`)],
    ['over the size limit in octets alone', alice.sign(`${'é'.repeat(MAX_NOTE_BYTES / 2)}\n`)],
  ])('%s', (_, note) => refuses(note));
});

test('made-up notes are refused, and nothing else happens', () => {
  const part = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('\n\n', '— ', alice.line(TEXT), TEXT, '\n'));
  const note = fc.array(part, { maxLength: 6 }).map((parts) => parts.join(''));
  fc.assert(
    fc.property(note, (text) => {
      const code = codeOf(() => expect(openNote(text, [alice.key]).text).toBe(TEXT));
      return code === 'audit_invalid' || code === 'nothing thrown';
    }),
  );
});

test('any text that a note can hold comes back as it was signed', () => {
  const line = fc.string({ unit: fc.constantFrom('a', ' ', 'é', '—', '\u{1f511}', '+') });
  fc.assert(
    fc.property(fc.array(line, { minLength: 1 }), (lines) => {
      const text = `${lines.join('\n')}\n`;
      return openNote(alice.sign(text), [alice.key]).text === text;
    }),
    { numRuns: 50 },
  );
});

describe('a verifier key is refused', () => {
  const [name, id, encoded] = SPEC_VKEY.split('+') as [string, string, string];
  const typed = Buffer.from(encoded, 'base64');
  test.each([
    ['with the id of another key', `${name}+530d903b+${encoded}`],
    ['under another name', `${name}x+${id}+${encoded}`],
    ['of another type', `${name}+${id}+${Buffer.from(typed).fill(2, 0, 1).toString('base64')}`],
    ['that is too short', `${name}+${id}+${typed.subarray(0, 32).toString('base64')}`],
    ['with an id in capitals', `${name}+530D903A+${encoded}`],
    ['without a name', `+${id}+${encoded}`],
    ['with a space in its name', `a b+${id}+${encoded}`],
    ['that is empty', ''],
  ])('%s', (_, vkey) => expect(codeOf(() => parseVkey(vkey))).toBe('invalid_input'));
});

test('a key that is not Ed25519 cannot be a note key', () => {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  expect(codeOf(() => noteKey('a.example', publicKey))).toBe('invalid_input');
});

test('a text that no note can hold is not signed', () => {
  for (const text of ['', 'no line feed', 'a\r\n', '\ud800\n']) expect(codeOf(() => alice.sign(text))).toBe('internal');
});

test('no refusal quotes the note', () => {
  try {
    openNote(`canary-text\n\n— canary-name ${'A'.repeat(8)}\n`, [alice.key]);
    expect.unreachable();
  } catch (error) {
    expect(String(error)).not.toContain('canary');
  }
});
