import {
  ACMPCAClient,
  type CertificateAuthority,
  DescribeCertificateAuthorityCommand,
  GetCertificateCommand,
  IssueCertificateCommand,
  type IssueCertificateCommandInput,
  type RevocationReason,
  RevokeCertificateCommand,
} from '@aws-sdk/client-acm-pca';
import { recordingAttempt } from '../../keystore/aws/failure/attempts.ts';
import type { Call, Operation } from '../../keystore/aws/failure/operation.ts';
import { awsError } from '../../keystore/aws/failure/reason.ts';
import { Guard } from '../../keystore/aws/guard.ts';
import type { Connection } from '../../keystore/aws/options.ts';

/** The calls of AWS Private CA that Keyturn makes. Rejects with what `keystore/aws/failure/reason.ts` lists. */
export class PcaClient {
  readonly #sdk: ACMPCAClient;
  readonly #guard: Guard;
  readonly #region: string;
  readonly #authority: string;
  #closed = false;

  constructor({ region, guard, sdk }: Connection, authority: string) {
    this.#region = region;
    this.#authority = authority;
    this.#sdk = new ACMPCAClient({ ...sdk, region });
    this.#sdk.middlewareStack.add((next) => (args) => recordingAttempt(() => next(args)), {
      step: 'finalizeRequest',
      priority: 'low',
      name: 'keyturnAttempts',
    });
    this.#guard = new Guard(() => this.#sdk.config.credentials(), guard);
  }

  async describe(): Promise<CertificateAuthority> {
    const command = new DescribeCertificateAuthorityCommand({ CertificateAuthorityArn: this.#authority });
    const { CertificateAuthority: found } = await this.#run('DescribeCertificateAuthority', (abortSignal) =>
      this.#sdk.send(command, { abortSignal }),
    );
    if (found?.Arn === this.#authority) return found;
    throw this.#strange('DescribeCertificateAuthority');
  }

  /** ARN of a certificate that is being issued; the same for the same token within five minutes. */
  async issue(input: Omit<IssueCertificateCommandInput, 'CertificateAuthorityArn'>): Promise<string> {
    const command = new IssueCertificateCommand({ ...input, CertificateAuthorityArn: this.#authority });
    const { CertificateArn: arn } = await this.#run('IssueCertificate', (abortSignal) =>
      this.#sdk.send(command, { abortSignal }),
    );
    if (arn?.startsWith(`${this.#authority}/certificate/`) === true) return arn;
    throw this.#strange('IssueCertificate');
  }

  /** PEM. Rejects with the reason `not_visible` while it is being issued. */
  async get(arn: string): Promise<{ readonly certificate: string; readonly chain: string }> {
    const input = { CertificateAuthorityArn: this.#authority, CertificateArn: arn };
    const { Certificate: certificate, CertificateChain: chain = '' } = await this.#run(
      'GetCertificate',
      (abortSignal) => this.#sdk.send(new GetCertificateCommand(input), { abortSignal }),
    );
    if (certificate !== undefined) return { certificate, chain };
    throw this.#strange('GetCertificate');
  }

  /** @param serial hex, by twos with colons between. Rejects with the reason `exists` when it was revoked before. */
  async revoke(serial: string, reason: RevocationReason): Promise<void> {
    const input = { CertificateAuthorityArn: this.#authority, CertificateSerial: serial, RevocationReason: reason };
    await this.#run('RevokeCertificate', (abortSignal) =>
      this.#sdk.send(new RevokeCertificateCommand(input), { abortSignal }),
    );
  }

  close(): void {
    this.#closed = true;
    this.#sdk.destroy();
  }

  async #run<T>(operation: Operation, send: (signal: AbortSignal) => Promise<T>): Promise<T> {
    if (this.#closed) throw awsError('closed', 'The issuer is closed.', { fix: 'Start Keyturn again.' });
    const call: Call = {
      operation,
      about: `authority ${this.#authority}`,
      policy: 'keyturn-issuer.json',
      region: this.#region,
    };
    return this.#guard.run(call, send);
  }

  #strange(operation: Operation): Error {
    const message = `What answered ${operation} for ${this.#authority} does not speak as AWS does.`;
    return awsError('not_aws', message, { fix: 'Check the endpoint; a proxy or another service may stand there.' });
  }
}
