import { SecretBytes } from '../../core/secret-bytes.ts';
import { type FileStoreReport, verifyFileStore } from '../../keystore/file/verify.ts';
import type { Config } from '../config.ts';
import { type AskSecret, masterKeySource } from '../master-key.ts';
import { openInstance } from '../open.ts';

/**
 * Authenticates every record of a stopped instance's key file, then opens the instance, which holds the store against
 * the ledger. A passphrase is asked for once.
 * @throws KeyturnError of whatever is wrong, e.g. `keystore_corrupt`, `keystore_rollback`.
 */
export async function verifyStore(config: Config, ask: AskSecret): Promise<FileStoreReport> {
  using answer = new Answer(ask);
  const report = await verifyFileStore({
    path: config.keystore,
    master: masterKeySource(config.masterKey, answer.ask),
  });
  const instance = await openInstance(config, { ask: answer.ask });
  await instance.close();
  return report;
}

/** What a person said, for whoever asks again; wiped at the end. */
class Answer implements Disposable {
  readonly #ask: AskSecret;
  #given: SecretBytes | null = null;

  constructor(ask: AskSecret) {
    this.#ask = ask;
  }

  readonly ask: AskSecret = async (question) => {
    this.#given ??= await this.#ask(question);
    return SecretBytes.copyOf(this.#given.bytes);
  };

  [Symbol.dispose](): void {
    this.#given?.dispose();
  }
}
