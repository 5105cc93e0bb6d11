import { createCipheriv, createSecretKey, generateKeyPairSync, hash, randomBytes, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { text } from 'node:stream/consumers';

/**
 * The program behind `startFloor`: `node floor-server.ts FOLDER`, with `tls.key`, `tls.crt` and `secret.pem` in the folder.
 * Requests of one turn of the event loop share a commit, as those of one batch do; one thread does it all.
 */
const folder = process.argv[2] ?? '';
const read = (name: string) => readFileSync(join(folder, name));

const ENTRY = JSON.stringify({ entry: 'e'.repeat(600) });
/** A receipt with the proofs of a log of some thousands. */
const RECEIPT = 'r'.repeat(3_900);
const HASHES = 20;

const database = new DatabaseSync(join(folder, 'floor.db'));
database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
database.exec('CREATE TABLE entries (position INTEGER PRIMARY KEY, json TEXT NOT NULL) STRICT');
const insert = database.prepare('INSERT INTO entries (json) VALUES (?)');

const secret = read('secret.pem');
const sealing = createSecretKey(randomBytes(32));
const { privateKey } = generateKeyPairSync('ed25519');
let node = randomBytes(32);
let waiting: (() => void)[] = [];

const server = createServer({ key: read('tls.key'), cert: read('tls.crt') }, async (request, response) => {
  await text(request);
  await durable();
  const answer = sealed();
  response.writeHead(201, { 'content-type': 'application/json', 'content-length': answer.length });
  response.end(answer, 'latin1');
});
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port));

function durable(): Promise<void> {
  return new Promise((resolve) => {
    if (waiting.length === 0) setImmediate(commit);
    waiting.push(resolve);
  });
}

function commit(): void {
  const batch = waiting;
  waiting = [];
  database.exec('BEGIN IMMEDIATE');
  for (const _ of batch) insert.run(ENTRY);
  database.exec('COMMIT');
  sign(null, node, privateKey);
  for (const goOn of batch) goOn();
}

function sealed(): string {
  for (let at = 0; at < HASHES; at += 1) node = hash('sha256', node, 'buffer') as Buffer<ArrayBuffer>;
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', sealing, nonce);
  const octets = Buffer.concat([cipher.update(secret), cipher.final(), cipher.getAuthTag()]);
  return `{"nonce":"${nonce.toString('base64url')}","ct":"${octets.toString('base64url')}","receipt":"${RECEIPT}"}`;
}
