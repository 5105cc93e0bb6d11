import { generateKeyPairSync } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import { describe, expect, test } from 'vitest';
import { LogSigner, LogVerifier } from '../../src/audit/checkpoint.ts';
import { EMPTY_ROOT, leafHash } from '../../src/audit/merkle.ts';
import { noteKey, signNote } from '../../src/audit/note.ts';
import { codeOf, newSigner, ORIGIN } from './log.ts';

const { publicKey, privateKey } = generateKeyPairSync('ed25519');
const signer = LogSigner.create(ORIGIN, privateKey);
const verifier = new LogVerifier({ origin: ORIGIN, keys: [signer.vkey] });
const ROOT = leafHash(Buffer.from('leaf'));
const root = ROOT.toString('base64');

/** A note with any text, signed by the log's own key. */
function signed(text: string): string {
  return signNote(text, noteKey(ORIGIN, publicKey), privateKey);
}

test('a signed head opens to itself, in the three lines of the specification', () => {
  const note = signer.sign({ size: 1, root: ROOT });
  expect(note.startsWith(`${ORIGIN}\n1\n${root}\n\n— ${ORIGIN} `)).toBe(true);
  expect(verifier.open(note)).toEqual({ origin: ORIGIN, generation: 1, size: 1, root: ROOT });
});

test('the empty tree has a checkpoint, with the empty root alone', () => {
  expect(verifier.open(signer.sign({ size: 0, root: EMPTY_ROOT })).size).toBe(0);
  expect(codeOf(() => verifier.open(signer.sign({ size: 0, root: ROOT })))).toBe('audit_invalid');
});

test('sizes beyond 32 bits keep every digit', () => {
  const size = Number.MAX_SAFE_INTEGER;
  expect(verifier.open(signer.sign({ size, root: ROOT })).size).toBe(size);
});

test('extension lines are signed, and mean nothing', () => {
  expect(verifier.open(signed(`${ORIGIN}\n7\n${root}\nextension\n`)).size).toBe(7);
});

/** The same octets to a lenient decoder: 32 octets leave two bits of the last character unused. */
function otherSpareBits(text: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
  const other = `${text.slice(0, -2)}${alphabet[alphabet.indexOf(text.at(-2)!) + 1]}=`;
  expect(Buffer.from(other, 'base64')).toEqual(Buffer.from(text, 'base64'));
  return other;
}

describe('a checkpoint is refused, though its signature is good,', () => {
  test.each([
    ['of another log', `other.example/log\n7\n${root}\n`],
    ['with a leading zero', `${ORIGIN}\n07\n${root}\n`],
    ['with a sign', `${ORIGIN}\n+7\n${root}\n`],
    ['with a size that is no safe integer', `${ORIGIN}\n9007199254740993\n${root}\n`],
    ['with a size of twenty digits', `${ORIGIN}\n12345678901234567890\n${root}\n`],
    ['with a root of 31 octets', `${ORIGIN}\n7\n${ROOT.subarray(1).toString('base64')}\n`],
    ['with a root that has a second text', `${ORIGIN}\n7\n${otherSpareBits(root)}\n`],
    ['with an empty line', `${ORIGIN}\n7\n${root}\n\nextension\n`],
    ['of two lines', `${ORIGIN}\n7\n`],
  ])('%s', (_, text) => expect(codeOf(() => verifier.open(signed(text)))).toBe('audit_invalid'));
});

test('a checkpoint that another key signed is refused, even under the same name', () => {
  expect(codeOf(() => verifier.open(newSigner().sign({ size: 1, root: ROOT })))).toBe('audit_invalid');
});

test('while the log changes its key, both keys open', () => {
  const next = newSigner();
  const both = new LogVerifier({ origin: ORIGIN, keys: [signer.vkey, next.vkey] });
  for (const one of [signer, next]) expect(both.open(one.sign({ size: 1, root: ROOT })).size).toBe(1);
});

test('a verifier needs a key, and keys of its own log', () => {
  const foreign = newSigner('other.example/log').vkey;
  expect(codeOf(() => new LogVerifier({ origin: ORIGIN, keys: [] }))).toBe('invalid_input');
  expect(codeOf(() => new LogVerifier({ origin: ORIGIN, keys: [signer.vkey, foreign] }))).toBe('invalid_input');
  expect(codeOf(() => new LogVerifier({ origin: 'a b', keys: [signer.vkey] }))).toBe('invalid_input');
});

test('a signer needs a private Ed25519 key and an origin that can be a key name', () => {
  const { privateKey: rsa } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  expect(codeOf(() => LogSigner.create(ORIGIN, publicKey))).toBe('invalid_input');
  expect(codeOf(() => LogSigner.create(ORIGIN, rsa))).toBe('invalid_input');
  expect(codeOf(() => LogSigner.create('key turn', privateKey))).toBe('invalid_input');
  expect(codeOf(() => LogSigner.create('key+turn', privateKey))).toBe('invalid_input');
});

test('a signer is made in a worker thread from a key that was posted there', async () => {
  const source = `
    import { parentPort, workerData } from 'node:worker_threads';
    const { LogSigner } = await import(workerData.module);
    parentPort.once('message', ({ origin, key }) => {
      const signer = LogSigner.create(origin, key);
      parentPort.postMessage({ vkey: signer.vkey, note: signer.sign({ size: 1, root: Buffer.from(workerData.root) }) });
    });`;
  const module = new URL('../../src/audit/checkpoint.ts', import.meta.url).href;
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`), {
    workerData: { module, root: ROOT },
  });
  try {
    const answer = new Promise<{ vkey: string; note: string }>((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
    });
    worker.postMessage({ origin: ORIGIN, key: privateKey });
    const { vkey, note } = await answer;
    expect(vkey).toBe(signer.vkey);
    expect(verifier.open(note)).toEqual({ origin: ORIGIN, generation: 1, size: 1, root: ROOT });
  } finally {
    await worker.terminate();
  }
});
