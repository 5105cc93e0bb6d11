import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { newToken, parseToken } from '../../../src/access/token.ts';
import { Api } from '../../../src/cli/api/api.ts';
import { tokenSource } from '../../../src/client/token-source.ts';
import { cannotAsk, masterKeySource, readSecretFile } from '../../../src/compose/master-key.ts';
import { SecretBytes } from '../../../src/core/secret-bytes.ts';
import { systemRecord } from '../../../src/keystore/record-name.ts';
import { AnswerOpener, AnswerSealer } from '../../../src/sealed/answer.ts';
import { openServerCa } from '../../../src/tls/ca.ts';
import { caSource } from '../../../src/tls/ca-source.ts';
import { Password, passwordsToTry } from '../../../src/x509/pkcs12/password.ts';
import { readUpload } from '../../../src/x509/upload.ts';
import type { TestInstance } from '../instance.ts';
import type { Planted } from './story/planted.ts';

const BINDING = { lease: 'l', credential: 'lean/sandbox', version: 1, spki: '0'.repeat(64), expiresAt: '2030' };

/** An object of every exported class and shape that holds a secret or leads to one, live, by its name. */
export async function secretHolders(keyturn: TestInstance, planted: Planted): Promise<Record<string, unknown>> {
  const { serving } = keyturn;
  const { instance } = serving;
  const { store, desk, book, signer, logKey, holdJournal, journal } = instance;
  return {
    serving,
    instance,
    desk,
    book,
    signer,
    logKey,
    holdJournal,
    journal,
    ledger: desk.ledger,
    store,
    driver: store.driver,
    record: await store.read(systemRecord('log', 1)),
    versions: await desk.ledger.find('versions', {}),
    tokens: await desk.ledger.find('tokens', {}),
    bearer: await book.authenticate(`Bearer ${keyturn.admin}`, Date.now()),
    ...(await ofAccess(keyturn)),
    ...(await ofUploads(planted)),
    ...ofSealing(planted),
    ...(await ofTheCa(keyturn)),
  };
}

async function ofAccess(keyturn: TestInstance): Promise<Record<string, unknown>> {
  const tokenFile = join(keyturn.home, 'admin', 'token');
  return {
    'new token': newToken(Date.now()),
    'parsed token': parseToken(`Bearer ${keyturn.admin}`),
    'token source': tokenSource(tokenFile),
    'secret file': await readSecretFile(tokenFile),
    'CLI’s way': await Api.open({ home: keyturn.home }),
    'master key source': masterKeySource({ file: join(keyturn.home, 'master', 'master.key') }, cannotAsk),
    'master key': await masterKeySource({ file: join(keyturn.home, 'master', 'master.key') }, cannotAsk).read(),
  };
}

async function ofUploads(planted: Planted): Promise<Record<string, unknown>> {
  const passphrase = SecretBytes.copyOf(Buffer.from(planted.passphrase));
  const bytes = Buffer.from(planted.pem('stray key'));
  return {
    passphrase,
    Password: new Password(Buffer.from(planted.passphrase), Buffer.from(planted.passphrase, 'utf16le')),
    passwords: passwordsToTry(passphrase),
    upload: await readUpload([{ name: 'key.pem', bytes }]),
  };
}

function ofSealing(planted: Planted): Record<string, unknown> {
  const opener = AnswerOpener.generate();
  const sealer = AnswerSealer.to(Buffer.from(opener.publicKey, 'base64url'));
  const octets = SecretBytes.own(Buffer.from(planted.appToken));
  const sealed = sealer.seal(BINDING, [{ name: 'companion/lean-app-token', octets }]);
  return { opener, sealer, sealed, opened: opener.open(sealed, BINDING), octets };
}

async function ofTheCa(keyturn: TestInstance): Promise<Record<string, unknown>> {
  const { store } = keyturn.serving.instance;
  using key = await store.read(systemRecord('ca', 1));
  const ca = openServerCa(await readFile(join(keyturn.home, 'listener', 'ca.crt'), 'utf8'), key);
  const source = caSource({ ca, names: ['localhost'] });
  return { ca, source, identity: await source.due(null, Date.now()) };
}
