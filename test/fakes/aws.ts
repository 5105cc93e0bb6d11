import type { AwsStoreOptions } from '../../src/keystore/aws/options.ts';
import { MotoProcess } from './aws/moto-process.ts';
import { askMoto, type Json } from './aws/protocol.ts';
import { AwsProxy } from './aws/proxy.ts';

export const REGION = 'eu-central-1';

/** As an access key looks like; the secret parts are canaries that must show nowhere. */
export const CREDENTIALS = {
  AWS_ACCESS_KEY_ID: 'AKIAIOSFODNN7EXAMPLE',
  AWS_SECRET_ACCESS_KEY: 'canary-secret-access-key-7f83b1657ff1fc53',
  AWS_SESSION_TOKEN: 'canary-session-token-b92dc18148a1d65d',
} as const;

/** AWS Secrets Manager and KMS on loopback: moto, and before it the proxy that corrects it. */
export class FakeAws implements AsyncDisposable {
  readonly proxy: AwsProxy;
  readonly #moto: MotoProcess;

  private constructor(moto: MotoProcess, proxy: AwsProxy) {
    this.#moto = moto;
    this.proxy = proxy;
  }

  /** Credentials of this process's environment become those above: the SDK's default chain finds them there. */
  static async start(): Promise<FakeAws> {
    Object.assign(process.env, CREDENTIALS, { AWS_EC2_METADATA_DISABLED: 'true' });
    const moto = await MotoProcess.start();
    return new FakeAws(moto, await AwsProxy.start(moto.url));
  }

  get connection(): Pick<AwsStoreOptions, 'region' | 'endpoint'> {
    return { region: REGION, endpoint: this.proxy.url };
  }

  /** Past proxy and permissions. Null where moto refuses. */
  ask(action: string, input: Json = {}, region = REGION): Promise<Json | null> {
    return this.proxy.inTurn(() => askMoto(this.#moto.url, region, action, input));
  }

  /** ARN of a fresh customer key. */
  async makeKey(): Promise<string> {
    const metadata = (await this.ask('kms:CreateKey'))?.['KeyMetadata'];
    if (typeof metadata !== 'object' || metadata === null || !('Arn' in metadata)) throw new Error('moto made no key.');
    return String(metadata.Arn);
  }

  /** Off and on again, whatever its users are. */
  async switchKey(arn: string, on: boolean): Promise<void> {
    await this.ask(on ? 'kms:EnableKey' : 'kms:DisableKey', { KeyId: arn.split('/')[1] });
  }

  /** How many versions a secret has, labelled or not; 0 when there is none. */
  async versions(name: string): Promise<number> {
    if ((await this.ask('secretsmanager:DescribeSecret', { SecretId: name })) === null) return 0;
    const input = { SecretId: name, IncludeDeprecated: true };
    const versions = (await this.ask('secretsmanager:ListSecretVersionIds', input))?.['Versions'];
    return Array.isArray(versions) ? versions.length : 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.proxy.stop();
    await this.#moto.stop();
  }
}
