import type { Agent } from 'node:https';
import { Egress } from '../../core/egress/egress.ts';
import { TunnelAgent } from '../../core/egress/tunnel-agent.ts';
import { KeyturnError } from '../../core/errors.ts';
import type { Circuit } from '../circuit.ts';
import type { GuardOptions } from './guard.ts';
import { secretPrefix } from './secret-name.ts';

/**
 * How AWS is spoken to. Credentials come from the SDK's default chain, always; the proxy, if there is one, from
 * `HTTPS_PROXY` and `NO_PROXY`.
 */
export interface AwsConnectionOptions {
  /** Default: `AWS_REGION`, or the region of the profile. */
  readonly region?: string;
  /** Base URL for a VPC endpoint of one's own. Default: `AWS_ENDPOINT_URL_…` or AWS's own. */
  readonly endpoint?: string;
  /** Until a connection stands, or a way through the proxy is open, in milliseconds. Default: 1,000. */
  readonly connectMs?: number;
  /** One attempt, in milliseconds. Default: 2,500. */
  readonly attemptMs?: number;
  /** One call with all its attempts and the waits between them, in milliseconds. Default: 6,000. */
  readonly callMs?: number;
  /** Attempts of one call, the first included. The SDK waits between them with jitter. Default: 3. */
  readonly attempts?: number;
  /** How long the circuit stays open after repeated failures, in milliseconds. Default: 5,000. */
  readonly breakMs?: number;
  readonly onCircuit?: (circuit: Circuit) => void;
}

export interface ReplicaRegion {
  readonly region: string;
  /** Key of AWS KMS in that region. Default: that region's `aws/secretsmanager`. */
  readonly kmsKeyId?: string;
}

export interface AwsStoreOptions extends AwsConnectionOptions {
  /** Folder of the account's secrets that is Keyturn's alone. Default: `keyturn`. */
  readonly prefix?: string;
  /** Customer key of AWS KMS: key ARN, id, or alias. Default: the account's `aws/secretsmanager`. */
  readonly kmsKeyId?: string;
  /**
   * `immediate`: a destroyed record is gone at once, and nobody can bring it back. A number of days, 7 to 30: it is
   * gone for Keyturn, but for so long whoever may call RestoreSecret can bring it back. Default: `immediate`.
   */
  readonly deletion?: 'immediate' | number;
  /** More tags for people and cost reports; Keyturn writes tags and never reads one. */
  readonly tags?: Readonly<Record<string, string>>;
  readonly replicas?: readonly ReplicaRegion[];
  /** Name of the instance, left on each record as a tag for people. Default: none. */
  readonly instance?: string;
}

/** What is put on every secret, parsed. */
export interface SecretSettings {
  readonly prefix: string;
  readonly kmsKeyId: string | null;
  readonly deletion: 'immediate' | number;
  readonly tags: Readonly<Record<string, string>>;
  readonly replicas: readonly ReplicaRegion[];
  readonly instance: string | null;
}

const TAG_VALUE = /^[\p{L}\p{N} _.:/=+@-]{0,256}$/u;

/** @throws KeyturnError `config_invalid`: which option, and what it may be. */
export function secretSettings(options: AwsStoreOptions): SecretSettings {
  const { deletion = 'immediate', tags = {}, replicas = [], kmsKeyId = null } = options;
  if (deletion !== 'immediate' && !(Number.isInteger(deletion) && deletion >= 7 && deletion <= 30)) {
    throw new KeyturnError('config_invalid', 'deletion of the AWS key store is neither immediate nor 7 to 30 days.');
  }
  for (const [key, value] of Object.entries(tags)) {
    const own = /^(?:aws|keyturn):/i.test(key);
    if (own || !/^[\p{L}\p{N} _.:/=+@-]{1,128}$/u.test(key) || !TAG_VALUE.test(value)) {
      throw new KeyturnError('config_invalid', 'A tag for the AWS key store is not one that AWS takes.', {
        fix: 'Use letters, digits, spaces and _.:/=+@-; aws: and keyturn: at the beginning are taken.',
      });
    }
  }
  // An origin may have characters that no tag takes; the record is written all the same.
  const instance = options.instance !== undefined && TAG_VALUE.test(options.instance) ? options.instance : null;
  return { prefix: secretPrefix(options.prefix ?? 'keyturn'), kmsKeyId, deletion, tags, replicas, instance };
}

/** What a client of the SDK is made of. */
export interface Connection {
  readonly region: string;
  readonly guard: GuardOptions;
  readonly sdk: {
    readonly endpoint?: string;
    readonly maxAttempts: number;
    readonly retryMode: 'standard';
    readonly requestHandler: {
      readonly connectionTimeout: number;
      readonly requestTimeout: number;
      readonly socketTimeout: number;
      readonly throwOnRequestTimeout: true;
      readonly httpsAgent?: Agent;
    };
  };
}

/** Connections of one client of the SDK; as many as its own agent allows. */
const MAX_SOCKETS = 50;

/** So much later than the tunnel's own end comes the SDK's, which knows of no proxy, in milliseconds. */
const GRACE_MS = 500;

/**
 * `region`: asked of the SDK's own chain when the options name none. The credential sources that ask AWS go the same way
 * as the calls; those of the machine (instance metadata, container agent) are never behind a proxy.
 * @throws KeyturnError `config_invalid`.
 */
export async function connectionOf(options: AwsConnectionOptions, region: () => Promise<string>): Promise<Connection> {
  const { connectMs = 1_000, attemptMs = 2_500, callMs = 6_000, attempts = 3, breakMs = 5_000 } = options;
  const egress = Egress.ofEnvironment();
  const tunnels = egress.proxied
    ? { httpsAgent: new TunnelAgent({ keepAlive: true, maxSockets: MAX_SOCKETS }, egress, connectMs) }
    : {};
  const connectionTimeout = egress.proxied ? connectMs + GRACE_MS : connectMs;
  const handler = { connectionTimeout, requestTimeout: attemptMs, socketTimeout: attemptMs, ...tunnels };
  return {
    region: options.region ?? (await region().catch(noRegion)),
    guard: { callMs, breakMs, onCircuit: options.onCircuit ?? (() => {}) },
    sdk: {
      ...(options.endpoint === undefined ? {} : { endpoint: options.endpoint }),
      maxAttempts: attempts,
      retryMode: 'standard',
      requestHandler: { ...handler, throwOnRequestTimeout: true },
    },
  };
}

function noRegion(): never {
  throw new KeyturnError('config_invalid', 'No AWS region is known.', {
    fix: 'Set region in keyturn.yaml, or for the server: export AWS_REGION=eu-central-1, or the one that it is; or the region of the profile.',
  });
}
