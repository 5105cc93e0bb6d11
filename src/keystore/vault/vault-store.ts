import { KeyturnError } from '../../core/errors.ts';
import type { SecretBytes } from '../../core/secret-bytes.ts';
import type { Circuit } from '../circuit.ts';
import type { KeyStoreDriver, KeyStoreHealth, Permitting } from '../driver.ts';
import type { ForeignSecret } from '../foreign/foreign-secret.ts';
import type { ForeignReading } from '../foreign/reading.ts';
import { inDoubt, isInDoubt } from '../in-doubt.ts';
import type { KeyStoreVerb } from '../keystore.ts';
import type { RecordName } from '../record-name.ts';
import { answerObject, numberAt, objectAt, textAt, type VaultAnswer } from './client/answer.ts';
import { isUnclear, reasonOf, vaultError } from './client/reason.ts';
import { connectVault, type VaultLink } from './connect.ts';
import { explainDenial, missingPrivileges } from './denial.ts';
import { vaultHealth } from './health.ts';
import { readForeignKv } from './kv/foreign.ts';
import { listRecords } from './kv/listing.ts';
import { checkMount } from './kv/mount.ts';
import { KvPath } from './kv/path.ts';
import { notVersioned, readBody, writeBody } from './kv/record-body.ts';
import type { VaultStoreOptions } from './options.ts';
import { type Privilege, privileges } from './privilege.ts';
import type { VaultSettings } from './settings/settings.ts';

/**
 * Opens without asking the server, which may be down just now.
 * @throws KeyturnError `config_invalid`.
 */
export async function openVaultStore(options: VaultStoreOptions): Promise<VaultStore> {
  const paths = new KvPath(options.mount ?? 'secret', options.prefix ?? 'keyturn');
  return new VaultStore(connectVault(options), paths, options.onMirrorFailure ?? (() => {}));
}

/** What doctor shows of an adapter over Vault; no secret. */
export interface VaultInspection {
  readonly settings: VaultSettings;
  readonly login: string;
  readonly circuit: Circuit;
  /** Null when the token may not ask for its capabilities. */
  readonly missing: readonly Privilege[] | null;
}

/**
 * Records in a KV version 2 engine, one path each, written once with `cas: 0`. Nothing is overwritten: the policy
 * that comes with it does not even grant it.
 */
export class VaultStore implements KeyStoreDriver, Permitting, ForeignReading {
  readonly #link: VaultLink;
  readonly #paths: KvPath;
  readonly #onMirrorFailure: (record: string, error: Error) => void;
  #closed = false;
  #mountChecked = false;

  constructor(link: VaultLink, paths: KvPath, onMirrorFailure: (record: string, error: Error) => void) {
    this.#link = link;
    this.#paths = paths;
    this.#onMirrorFailure = onMirrorFailure;
  }

  get description(): string {
    return `vault ${this.#link.settings.address.value} ${this.#paths.mount}/${this.#paths.prefix}`;
  }

  /** Of the breaker before the server, for metrics. */
  get circuit(): Circuit {
    return this.#link.circuit();
  }

  write(record: RecordName, octets: SecretBytes): Promise<void> {
    return this.#verb('write', record, async () => {
      if (await this.#stands(record, octets)) return;
      try {
        await this.#create(record, octets);
      } catch (error) {
        if (!isDecidedByReading(error) || !(await this.#standsAfter(error, record, octets))) throw error;
      }
      await this.#mirror(record);
    });
  }

  read(record: RecordName): Promise<SecretBytes | null> {
    return this.#verb('read', record, () => this.#read(record));
  }

  list(): Promise<RecordName[]> {
    return this.#verb('list', '', () => listRecords(this.#link.client, this.#paths));
  }

  /** Deletes all versions and the metadata, then looks: an engine of another kind says yes and deletes nothing. */
  destroy(record: RecordName): Promise<void> {
    return this.#verb('destroy', record, async () => {
      const path = this.#paths.metadata(record);
      try {
        const { status } = await this.#link.client.ask({ method: 'DELETE', path });
        if (status === 400) throw vaultError('bad_request', `Vault did not understand the deletion of ${path}.`);
      } catch (error) {
        if (isUnclear(error) && (await this.#isGone(record, error))) return;
        throw error;
      }
      using left = await this.#read(record).catch((error: unknown) => {
        throw inDoubt(error);
      });
      if (left !== null) throw vaultError('server_error', `Vault said it deleted ${path}, and still has the record.`);
    });
  }

  readForeign(path: string): Promise<ForeignSecret> {
    return this.#verb('adopt', '', () => readForeignKv(this.#link, this.#paths, path));
  }

  async health(): Promise<KeyStoreHealth> {
    if (this.#closed) return { ready: false, detail: 'The key store is closed.' };
    return vaultHealth(this.#link.client, this.#paths, this.#link.login);
  }

  async inspect(): Promise<VaultInspection> {
    const { settings, login, client } = this.#link;
    const missing = await missingPrivileges(client, privileges(this.#paths, 'versions/doctor/probe/1'));
    return { settings, login, circuit: this.circuit, missing };
  }

  async lacking(): Promise<readonly string[] | null> {
    const { missing } = await this.inspect();
    return missing?.map(({ path, capability }) => `"${capability}" on ${path}`) ?? null;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#link.close();
  }

  async #read(record: RecordName): Promise<SecretBytes | null> {
    const path = this.#paths.data(record);
    const answer = await this.#link.client.ask({ method: 'GET', path });
    if (answer.status === 200) return readBody(answer.octets, path);
    if (answer.status === 404 && !('data' in answerObject(answer.octets))) return null;
    if (answer.status !== 404) throw vaultError('bad_request', `Vault did not understand the reading of ${path}.`);
    throw new KeyturnError('keystore_corrupt', `${path} was deleted in Vault, but not for good.`, {
      fix: `Run: bao kv undelete; or, if it may go: bao kv metadata delete, on ${path.replace('/data/', '/')}.`,
    });
  }

  /** @throws KeyturnError `keystore_conflict` when the record stands there with other octets. */
  async #stands(record: RecordName, octets: SecretBytes): Promise<boolean> {
    using standing = await this.#read(record);
    if (standing === null) return false;
    if (standing.equals(octets)) return true;
    throw new KeyturnError('keystore_conflict', `Vault has ${this.#paths.data(record)} with other content.`, {
      fix: 'A record is written once. Find out who wrote it.',
    });
  }

  /** After a write that was refused or not answered. When reading fails as well, what happened first is told. */
  async #standsAfter(cause: unknown, record: RecordName, octets: SecretBytes): Promise<boolean> {
    try {
      return await this.#stands(record, octets);
    } catch (error) {
      throw reasonOf(error) === null ? error : cause;
    }
  }

  /** After a deletion whose answer was lost. */
  async #isGone(record: RecordName, cause: unknown): Promise<boolean> {
    try {
      using left = await this.#read(record);
      return left === null;
    } catch {
      throw cause;
    }
  }

  async #create(record: RecordName, octets: SecretBytes): Promise<void> {
    const path = this.#paths.data(record);
    if (!this.#mountChecked) await checkMount(this.#link.client, this.#paths);
    this.#mountChecked = true;
    const body = writeBody(octets);
    try {
      checkWritten(await this.#link.client.ask({ method: 'POST', path, body }), path);
    } finally {
      body.fill(0);
    }
  }

  /** The record's name and the time, for people who look into Vault. Never read, and never a reason to fail. */
  async #mirror(record: RecordName): Promise<void> {
    const path = this.#paths.metadata(record);
    const custom_metadata = { keyturn_record: record, keyturn_written_at: new Date().toISOString() };
    try {
      await this.#link.client.ask({ method: 'POST', path, body: { custom_metadata } });
    } catch (error) {
      this.#onMirrorFailure(record, await this.#explained(error, 'mirror', record));
    }
  }

  async #verb<T>(verb: KeyStoreVerb, record: RecordName, call: () => Promise<T>): Promise<T> {
    if (this.#closed) throw vaultError('closed', 'The key store is closed.');
    try {
      return await call();
    } catch (error) {
      if (this.#closed) throw vaultError('closed', 'The key store was closed meanwhile.');
      throw await this.#explained(error, verb, record);
    }
  }

  async #explained(error: unknown, verb: Privilege['verb'], record: RecordName): Promise<Error> {
    if (!(error instanceof KeyturnError))
      return new KeyturnError('internal', `The adapter of Vault failed at ${verb}.`);
    if (reasonOf(error) !== 'forbidden') return error;
    const needed = deniedPrivilege(error, privileges(this.#paths, record), verb);
    if (needed === undefined) return error;
    const explained = await explainDenial(this.#link.client, needed, this.#link.login);
    return isInDoubt(error) ? inDoubt(explained) : explained;
  }
}

/** A verb may make several requests; the refusal's message names the path of the one that was denied. */
function deniedPrivilege(error: KeyturnError, all: readonly Privilege[], verb: string): Privilege | undefined {
  const denied = all.filter(({ path }) => error.facts['path'] === path);
  return denied.find((each) => each.verb === verb) ?? denied[0];
}

/** Whether reading tells what a failed write did: it may have happened, or somebody was first. */
function isDecidedByReading(error: unknown): boolean {
  const reason = reasonOf(error);
  return reason === 'bad_request' || reason === 'forbidden' || isUnclear(error);
}

function checkWritten(answer: VaultAnswer, path: string): void {
  if (answer.status === 400) throw vaultError('bad_request', `Vault did not accept the writing of ${path}.`);
  const data = objectAt(answerObject(answer.octets), 'data');
  if (numberAt(data, 'version') === null) throw notVersioned(path);
  if (textAt(data, 'deletion_time') === '') return;
  throw new KeyturnError('keystore_insecure', `The mount of ${path} deletes what is written there by itself.`, {
    fix: `Keys must not vanish: bao write ${path.split('/data/')[0]}/config delete_version_after=0s`,
  });
}
