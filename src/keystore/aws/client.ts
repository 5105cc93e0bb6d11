import {
  CreateSecretCommand,
  type CreateSecretCommandInput,
  DeleteSecretCommand,
  type DeleteSecretCommandInput,
  DescribeSecretCommand,
  type DescribeSecretCommandOutput,
  GetSecretValueCommand,
  type GetSecretValueCommandOutput,
  ListSecretsCommand,
  RemoveRegionsFromReplicationCommand,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import type { Circuit } from '../circuit.ts';
import { recordingAttempt } from './failure/attempts.ts';
import type { Call, Operation } from './failure/operation.ts';
import { awsError } from './failure/reason.ts';
import { Guard } from './guard.ts';
import type { Connection } from './options.ts';

/** What doctor tells of a client; no secret. */
export interface ClientInspection {
  /** As the SDK names it, e.g. `env vars`; null when it does not say. */
  readonly credentials: string | null;
  readonly expiresAt: Date | null;
  /** By how much the SDK corrects this machine's clock, milliseconds. */
  readonly clockOffsetMs: number;
}

/**
 * The calls of AWS Secrets Manager that Keyturn makes. An answer counts only if it speaks of the secret that was asked
 * for. Rejects with what failure/reason.ts lists.
 */
export class SecretsClient {
  readonly #sdk: SecretsManagerClient;
  readonly #guard: Guard;
  readonly #region: string;
  readonly #callMs: number;
  #closed = false;

  constructor(connection: Connection) {
    const { region, guard, sdk } = connection;
    this.#region = region;
    this.#callMs = guard.callMs;
    this.#sdk = new SecretsManagerClient({ ...sdk, region });
    this.#sdk.middlewareStack.add((next) => (args) => recordingAttempt(() => next(args)), {
      step: 'finalizeRequest',
      priority: 'low',
      name: 'keyturnAttempts',
    });
    this.#guard = new Guard(() => this.#sdk.config.credentials(), guard);
  }

  get circuit(): Circuit {
    return this.#guard.circuit;
  }

  /** Settled when this secret came to be by this call, or had by an earlier one with the same version and octets. */
  async create(input: CreateSecretCommandInput & { readonly Name: string }): Promise<void> {
    const answer = await this.#run('CreateSecret', input.Name, (abortSignal) =>
      this.#sdk.send(new CreateSecretCommand(input), { abortSignal }),
    );
    this.#check('CreateSecret', input.Name, answer.Name);
  }

  async get(name: string, version: string): Promise<GetSecretValueCommandOutput> {
    const command = new GetSecretValueCommand({ SecretId: name, VersionId: version });
    const answer = await this.#run('GetSecretValue', name, (abortSignal) => this.#sdk.send(command, { abortSignal }));
    if (answer.VersionId !== version) answer.SecretBinary?.fill(0);
    this.#check('GetSecretValue', `${name} ${version}`, `${answer.Name} ${answer.VersionId}`, name);
    return answer;
  }

  /** Whether `get` would be answered; beside the circuit, and by default as patient as it. */
  async probe(name: string, version: string, ms = this.#callMs): Promise<void> {
    const command = new GetSecretValueCommand({ SecretId: name, VersionId: version });
    this.#refuseClosed();
    const answer = await this.#guard.within(ms, this.#call('GetSecretValue', name), (abortSignal) =>
      this.#sdk.send(command, { abortSignal }),
    );
    answer.SecretBinary?.fill(0);
    this.#check('GetSecretValue', name, answer.Name);
  }

  async describe(name: string): Promise<DescribeSecretCommandOutput> {
    const answer = await this.#run('DescribeSecret', name, (abortSignal) =>
      this.#sdk.send(new DescribeSecretCommand({ SecretId: name }), { abortSignal }),
    );
    this.#check('DescribeSecret', name, answer.Name);
    return answer;
  }

  /** One page of the names that begin so, without those that are scheduled for deletion. */
  async list(beginning: string, token: string | undefined): Promise<{ names: string[]; next: string | undefined }> {
    const command = new ListSecretsCommand({
      MaxResults: 100,
      Filters: [{ Key: 'name', Values: [beginning] }],
      ...(token === undefined ? {} : { NextToken: token }),
    });
    const about = `${beginning}*`;
    const answer = await this.#run('ListSecrets', about, (abortSignal) => this.#sdk.send(command, { abortSignal }));
    const names = answer.SecretList?.map(({ Name }) => Name);
    if (names === undefined || !names.every((name) => name !== undefined)) throw this.#strange('ListSecrets', about);
    return { names, next: answer.NextToken };
  }

  /** One page of the secrets whose names begin so and that are scheduled for deletion, with the day of it. */
  async scheduled(beginning: string, token: string | undefined) {
    const command = new ListSecretsCommand({
      MaxResults: 100,
      IncludePlannedDeletion: true,
      Filters: [{ Key: 'name', Values: [beginning] }],
      ...(token === undefined ? {} : { NextToken: token }),
    });
    const about = `${beginning}*`;
    const answer = await this.#run('ListSecrets', about, (abortSignal) => this.#sdk.send(command, { abortSignal }));
    const secrets = (answer.SecretList ?? []).flatMap(({ Name: name, DeletedDate, Tags, SecretVersionsToStages }) =>
      name === undefined || DeletedDate === undefined
        ? []
        : [
            {
              name,
              DeletedDate,
              ...(Tags === undefined ? {} : { Tags }),
              versions: Object.keys(SecretVersionsToStages ?? {}),
            },
          ],
    );
    return { secrets, next: answer.NextToken };
  }

  /** The current version of a secret that is not ours, by name or ARN. */
  async getForeign(id: string): Promise<GetSecretValueCommandOutput> {
    const command = new GetSecretValueCommand({ SecretId: id });
    this.#refuseClosed();
    const call = { ...this.#call('GetSecretValue', id), policy: 'keyturn-adopt.json' };
    const answer = await this.#guard.run(call, (abortSignal) => this.#sdk.send(command, { abortSignal }));
    // An ARN may be given without the six characters that AWS puts behind a name.
    const named = [answer.Name, answer.ARN, answer.ARN?.replace(/-[A-Za-z0-9]{6}$/, '')].includes(id);
    if (named && answer.VersionId !== undefined) return answer;
    answer.SecretBinary?.fill(0);
    throw this.#strange('GetSecretValue', id);
  }

  /** After a call that AWS answered. */
  async inspect(): Promise<ClientInspection> {
    const { credentials, systemClockOffset } = this.#sdk.config;
    const identity = await credentials();
    return {
      credentials: sourceOf(identity),
      expiresAt: identity.expiration ?? null,
      clockOffsetMs: systemClockOffset,
    };
  }

  async delete(input: DeleteSecretCommandInput & { readonly SecretId: string }): Promise<void> {
    const { SecretId: name } = input;
    const answer = await this.#run('DeleteSecret', name, (abortSignal) =>
      this.#sdk.send(new DeleteSecretCommand(input), { abortSignal }),
    );
    this.#check('DeleteSecret', name, answer.Name);
  }

  async removeReplicas(name: string, regions: readonly string[]): Promise<void> {
    const command = new RemoveRegionsFromReplicationCommand({ SecretId: name, RemoveReplicaRegions: [...regions] });
    await this.#run('RemoveRegionsFromReplication', name, (abortSignal) => this.#sdk.send(command, { abortSignal }));
  }

  close(): void {
    this.#closed = true;
    this.#sdk.destroy();
  }

  async #run<T>(operation: Operation, name: string, send: (signal: AbortSignal) => Promise<T>): Promise<T> {
    this.#refuseClosed();
    return this.#guard.run(this.#call(operation, name), send);
  }

  #refuseClosed(): void {
    if (this.#closed) throw awsError('closed', 'The key store is closed.', { fix: 'Start Keyturn again.' });
  }

  #call(operation: Operation, name: string): Call {
    return { operation, about: `secret ${name}`, policy: 'keyturn.json', region: this.#region };
  }

  #check(operation: Operation, asked: string, answered: string | undefined, name = asked): void {
    if (asked !== answered) throw this.#strange(operation, name);
  }

  #strange(operation: Operation, name: string): Error {
    const message = `What answered ${operation} for secret ${name} does not speak as AWS does.`;
    return awsError('not_aws', message, { fix: 'Check the endpoint; a proxy or another service may stand there.' });
  }
}

/** The SDK notes with the credentials which links of its chain gave them; the last one is where they came from. */
function sourceOf(identity: object): string | null {
  if (!('$source' in identity) || typeof identity.$source !== 'object' || identity.$source === null) return null;
  const source = Object.keys(identity.$source).at(-1);
  return source?.replace('CREDENTIALS_', '').replaceAll('_', ' ').toLowerCase() ?? null;
}
