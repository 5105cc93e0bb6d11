import { ExponentialBackoff, handleWhen, retry } from 'cockatiel';
import { KeyturnError } from '../../core/errors.ts';
import { SecretBytes } from '../../core/secret-bytes.ts';
import type { Circuit } from '../circuit.ts';
import type { KeyStoreDriver, KeyStoreHealth, Lingering } from '../driver.ts';
import type { ForeignSecret } from '../foreign/foreign-secret.ts';
import type { ForeignReading } from '../foreign/reading.ts';
import { inDoubt } from '../in-doubt.ts';
import type { RecordName } from '../record-name.ts';
import type { SecretsClient } from './client.ts';
import { awsError, type Reason, reasonOf } from './failure/reason.ts';
import { readForeignSecret } from './foreign.ts';
import { INSTANCE_TAG, inWindow, nameTaken } from './in-window.ts';
import type { SecretSettings } from './options.ts';
import { recordOf, secretName, versionId } from './secret-name.ts';

/** A bound for a service that never ends its pages: 500,000 secrets are the quota of a region. */
const MAX_PAGES = 10_000;

/** AWS shows a change a moment after it took it, and removes a secret in the background. Waits of 0.1 to 1.6 s. */
const settling = (...reasons: readonly Reason[]) =>
  retry(
    handleWhen((error) => reasons.some((reason) => reason === reasonOf(error))),
    { maxAttempts: 4, backoff: new ExponentialBackoff({ initialDelay: 100, maxDelay: 1_600 }) },
  );

/**
 * Records as secrets of AWS Secrets Manager: one secret each, with one version whose id follows from its name. Every
 * read names that version, so whatever somebody else puts into the secret is never taken for ours.
 */
export class AwsStore implements KeyStoreDriver, ForeignReading, Lingering {
  readonly description: string;
  readonly lingers: string | null;
  readonly #client: SecretsClient;
  readonly #settings: SecretSettings;
  readonly #region: string;

  /** Use `openAwsStore`. */
  constructor(client: SecretsClient, region: string, settings: SecretSettings) {
    const { prefix, deletion } = settings;
    const kept = deletion === 'immediate' ? '' : `, destroyed ones restorable for ${deletion} days`;
    this.description = `AWS Secrets Manager ${region} ${prefix}/*${kept}`;
    const days = deletion === 'immediate' ? null : `${deletion} days`;
    this.lingers = days === null ? null : `AWS keeps it for ${days}: whoever may call RestoreSecret can bring it back`;
    this.#client = client;
    this.#region = region;
    this.#settings = settings;
  }

  /** For a metric: whether AWS is asked at all. */
  get circuit(): Circuit {
    return this.#client.circuit;
  }

  async write(record: RecordName, octets: SecretBytes): Promise<void> {
    const name = this.#name(record);
    try {
      const patient = this.#settings.deletion === 'immediate' ? settling('invalid_state') : settling();
      await patient.execute(() => this.#client.create(this.#input(name, record, octets)));
    } catch (error) {
      if (reasonOf(error) === 'invalid_state') throw await this.#taken(name);
      if (reasonOf(error) !== 'exists') throw error;
    }
    using standing = await settling('not_visible')
      .execute(() => this.#visible(record))
      .catch((error: unknown) => {
        throw inDoubt(error);
      });
    if (standing.equals(octets)) return;
    throw new KeyturnError('keystore_conflict', `The AWS secret ${name} stands there with other octets.`, {
      fix: 'Check who else writes under this prefix. Nothing was changed.',
    });
  }

  async read(record: RecordName): Promise<SecretBytes | null> {
    const name = this.#name(record);
    const version = versionId(name);
    try {
      const { SecretBinary: octets } = await this.#client.get(name, version);
      if (octets === undefined) throw foreign(name);
      const own = SecretBytes.copyOf(octets);
      octets.fill(0);
      return own;
    } catch (error) {
      if (reasonOf(error) === 'absent' || reasonOf(error) === 'invalid_state') return this.#absent(name, version);
      throw error;
    }
  }

  async list(): Promise<RecordName[]> {
    const { prefix } = this.#settings;
    const records = new Set<RecordName>();
    let token: string | undefined;
    for (let page = 0; page < MAX_PAGES; page += 1) {
      const { names, next } = await this.#client.list(`${prefix}/`, token);
      for (const name of names) {
        const record = recordOf(prefix, name);
        if (record !== null) records.add(record);
      }
      if (next === undefined || next === '') return [...records];
      token = next;
    }
    throw awsError('not_aws', 'AWS does not come to the end of its list of secrets.');
  }

  /** With a recovery window the record is gone for Keyturn, and restorable for others until the window ends. */
  async destroy(record: RecordName): Promise<void> {
    const name = this.#name(record);
    try {
      await this.#delete(name);
    } catch (error) {
      const reason = reasonOf(error);
      if (reason === 'absent') return;
      if (reason !== 'bad_request' && reason !== 'invalid_state') throw error;
      if (await this.#scheduledOrWithoutReplicas(name)) return;
      await settling('bad_request', 'invalid_state').execute(() => this.#delete(name));
    }
  }

  readForeign(path: string): Promise<ForeignSecret> {
    return readForeignSecret(this.#client, this.#settings.prefix, path);
  }

  async health(): Promise<KeyStoreHealth> {
    const name = `${this.#settings.prefix}/health`;
    try {
      await this.#client.probe(name, versionId(name));
      return { ready: true, detail: '' };
    } catch (error) {
      if (reasonOf(error) === 'absent') return { ready: true, detail: '' };
      return { ready: false, detail: error instanceof KeyturnError ? error.message : 'AWS does not answer.' };
    }
  }

  async close(): Promise<void> {
    this.#client.close();
  }

  #name(record: RecordName): string {
    return secretName(this.#settings.prefix, record);
  }

  #input(name: string, record: RecordName, octets: SecretBytes) {
    const { prefix, tags, kmsKeyId, replicas, instance } = this.#settings;
    const own = instance === null ? {} : { [INSTANCE_TAG]: instance };
    const all = { 'keyturn:store': prefix, 'keyturn:record': record, ...own, ...tags };
    return {
      Name: name,
      ClientRequestToken: versionId(name),
      SecretBinary: octets.bytes,
      Description: 'Written once by Keyturn. Do not change it; to replace it, use Keyturn.',
      Tags: Object.entries(all).map(([Key, Value]) => ({ Key, Value })),
      ...(kmsKeyId === null ? {} : { KmsKeyId: kmsKeyId }),
      ...(replicas.length === 0
        ? {}
        : {
            AddReplicaRegions: replicas.map(({ region: Region, kmsKeyId: key }) => ({
              Region,
              ...(key === undefined ? {} : { KmsKeyId: key }),
            })),
          }),
    };
  }

  /** What was written a moment ago, or stood there before. */
  async #visible(record: RecordName): Promise<SecretBytes> {
    const octets = await this.read(record);
    if (octets !== null) return octets;
    const message = `AWS does not yet show the secret ${this.#name(record)} that it took.`;
    throw awsError('not_visible', message, { fix: 'Try again in a minute.' });
  }

  /** Null when the record is certainly not there, as a second question about the secret itself shows. */
  async #absent(name: string, version: string): Promise<null> {
    try {
      const { DeletedDate: deleted, VersionIdsToStages: versions = {} } = await this.#client.describe(name);
      if (deleted !== undefined) return null;
      if (!Object.hasOwn(versions, version)) throw foreign(name);
    } catch (error) {
      if (reasonOf(error) === 'absent') return null;
      throw error;
    }
    const message = `AWS knows the secret ${name} but does not yet show its content.`;
    throw awsError('not_visible', message, { fix: 'Try again in a minute.' });
  }

  #delete(name: string): Promise<void> {
    const { deletion } = this.#settings;
    return this.#client.delete({
      SecretId: name,
      ...(deletion === 'immediate' ? { ForceDeleteWithoutRecovery: true } : { RecoveryWindowInDays: deletion }),
    });
  }

  /** Why AWS takes no secret of this name: one is in its recovery window, which still tells whose it is. */
  async #taken(name: string): Promise<Error> {
    try {
      const { VersionIdsToStages: stages = {}, ...described } = await this.#client.describe(name);
      const versions = Object.keys(stages);
      return nameTaken(inWindow(name, { ...described, versions }, this.#settings.instance), this.#region);
    } catch {
      return scheduled(name);
    }
  }

  /** AWS deletes neither a secret that it is already deleting, nor one that has replicas: these are removed here. */
  async #scheduledOrWithoutReplicas(name: string): Promise<boolean> {
    const { DeletedDate: deleted, ReplicationStatus: replicas = [] } = await this.#client.describe(name);
    if (deleted !== undefined) return true;
    const regions = replicas.flatMap(({ Region: region }) => region ?? []);
    if (regions.length > 0) await this.#client.removeReplicas(name, regions);
    return false;
  }
}

function foreign(name: string): KeyturnError {
  return new KeyturnError('keystore_conflict', `The AWS secret ${name} was not written by Keyturn.`, {
    fix: 'Check who else writes under this prefix; Keyturn leaves the secret as it is.',
  });
}

function scheduled(name: string): KeyturnError {
  return new KeyturnError('keystore_conflict', `The AWS secret ${name} is scheduled for deletion.`, {
    fix: `Wait until its recovery window ends, or run: aws secretsmanager restore-secret --secret-id ${name}`,
  });
}
