import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** Published vectors, each with its source. */
const VECTORS = 'test/vectors/';

const PEM_KEY = /-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----(?:\\r|\\n|\s|[\w-]+: [^\n]*)*[A-Za-z0-9+/=]{40}/;
/** How PKCS#8 and SEC1 keys begin in base64 (P-256, RSA, SEC1 of P-256; Ed25519 and X25519), and at least as much as follows. */
const DER_KEY =
  /(?:MIG[A-Za-z0-9+/]AgEAMB[A-Z]GByqGSM49|MII[A-Za-z0-9+/]{3}IBADANBgkqhkiG9w0BAQEFAASC|MHcCAQEE)(?:[A-Za-z0-9+/]|\\n|\s){100}|MC4CAQAwBQYDK2V[A-Za-z0-9+/]{48}/;
const KEY_FILE = /\.(?:p12|pfx|jks|key|keystore)$/i;

function holdsKey(text: string): boolean {
  return PEM_KEY.test(text) || DER_KEY.test(text);
}

test('no tracked file outside the published vectors holds a private key', () => {
  const tracked = execFileSync('git', ['ls-files', '-z'], { cwd: ROOT, encoding: 'utf8' }).split('\0').filter(Boolean);
  expect(tracked).toContain('package.json');
  const found = tracked
    .filter((path) => !path.startsWith(VECTORS))
    .filter((path) => KEY_FILE.test(path) || holdsKey(readFileSync(join(ROOT, path), 'latin1')));
  expect(found).toEqual([]);
});

test('a key is recognised in PEM, in a string literal, encrypted, and as bare base64', () => {
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
  const ed = generateKeyPairSync('ed25519').privateKey;
  for (const key of [ec, rsa, ed]) {
    const pem = key.export({ format: 'pem', type: 'pkcs8' }) as string;
    expect(holdsKey(pem)).toBe(true);
    expect(holdsKey(JSON.stringify({ key: pem }))).toBe(true);
    expect(holdsKey(key.export({ format: 'der', type: 'pkcs8' }).toString('base64'))).toBe(true);
  }
  expect(holdsKey(ec.export({ format: 'pem', type: 'sec1' }) as string)).toBe(true);
  const legacy = rsa.export({ format: 'pem', type: 'pkcs1', cipher: 'aes-256-cbc', passphrase: 'a' }) as string;
  expect(holdsKey(legacy)).toBe(true);
  expect(holdsKey(ec.export({ format: 'der', type: 'sec1' }).toString('base64'))).toBe(true);
  expect(holdsKey('a header alone: -----BEGIN PRIVATE KEY----- is no key')).toBe(false);
});
