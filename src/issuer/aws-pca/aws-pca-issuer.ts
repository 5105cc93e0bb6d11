import { setTimeout as pause } from 'node:timers/promises';
import {
  ACMPCAClient,
  type CertificateAuthority,
  type RevocationReason as PcaReason,
  type SigningAlgorithm,
} from '@aws-sdk/client-acm-pca';
import { KeyturnError } from '../../core/errors.ts';
import { reasonOf } from '../../keystore/aws/failure/reason.ts';
import { connectionOf } from '../../keystore/aws/options.ts';
import { sha256Hex } from '../../x509/fingerprint.ts';
import { certificatesIn } from '../certificates.ts';
import type { DriverIssued, IssueRequest, IssuerDriver, IssuerHealth, Revoked, RevokeRequest } from '../driver.ts';
import { issuerRefused } from '../failure.ts';
import type { RevocationReason } from '../reason.ts';
import { PcaClient } from './client.ts';
import { asIssuerError } from './failure.ts';
import { type AwsPcaOptions, type PcaSettings, pcaSettings } from './options.ts';

/** Issues clientAuth alone, with subject and alternative names of the request (AWS Private CA, "Template definitions"). */
const TEMPLATE = 'arn:aws:acm-pca:::template/EndEntityClientAuthCertificate/V1';
/** AWS Private CA, IssueCertificate: "Idempotency tokens … time out after five minutes". */
const TOKEN_SECONDS = 300;
/** Waits between two looks at a certificate that is being issued, in milliseconds. */
const LOOKS_MS = [200, 400, 800, 1_600, 3_200, 6_400, 6_400];

/** AWS Private CA, RevokeCertificate, RevocationReason. */
const REASONS: Readonly<Record<RevocationReason, PcaReason>> = {
  unspecified: 'UNSPECIFIED',
  keyCompromise: 'KEY_COMPROMISE',
  cACompromise: 'CERTIFICATE_AUTHORITY_COMPROMISE',
  affiliationChanged: 'AFFILIATION_CHANGED',
  superseded: 'SUPERSEDED',
  cessationOfOperation: 'CESSATION_OF_OPERATION',
  privilegeWithdrawn: 'PRIVILEGE_WITHDRAWN',
};

/**
 * Opens without asking AWS.
 * @throws KeyturnError `config_invalid`.
 */
export async function openAwsPcaIssuer(options: AwsPcaOptions): Promise<AwsPcaIssuer> {
  const settings = pcaSettings(options);
  const connection = await connectionOf({ ...options, region: settings.region }, () =>
    new ACMPCAClient().config.region(),
  );
  return new AwsPcaIssuer(new PcaClient(connection, settings.authority), settings);
}

/** A certificate authority of AWS Private CA. It can't be asked what it has issued for a key. */
export class AwsPcaIssuer implements IssuerDriver {
  readonly can = {
    keyMadeBy: ['keyturn'],
    answers: 'at-once',
    finds: false,
    sameAnswerSeconds: TOKEN_SECONDS,
    revokes: 'interface',
    keepsReason: true,
    publishesRevocations: true,
  } as const;
  readonly #client: PcaClient;
  readonly #settings: PcaSettings;

  constructor(client: PcaClient, settings: PcaSettings) {
    this.#client = client;
    this.#settings = settings;
  }

  get description(): string {
    return `aws-pca ${this.#settings.authority}`;
  }

  /** Asked again with the same id within five minutes, AWS gives the same certificate. */
  async issue({ id, request, lifetimeSeconds }: IssueRequest, signal: AbortSignal): Promise<DriverIssued> {
    if (request === null) throw issuerRefused('AWS Private CA is asked for no key.', 'Send it a request.');
    const ends = Math.floor(Date.now() / 1000) + (lifetimeSeconds ?? this.#settings.lifetimeSeconds);
    const algorithm = await this.#algorithm();
    const arn = await this.#asked(() =>
      this.#client.issue({
        Csr: Buffer.from(request.pem),
        SigningAlgorithm: algorithm,
        TemplateArn: TEMPLATE,
        Validity: { Type: 'ABSOLUTE', Value: ends },
        // At most 36 characters.
        IdempotencyToken: sha256Hex(Buffer.from(id)).slice(0, 32),
      }),
    );
    const issued = await this.#fetch(arn, signal);
    return { kind: 'issued', ...issued };
  }

  async find(): Promise<null> {
    return null;
  }

  async revoke({ certificate, reason }: RevokeRequest): Promise<Revoked> {
    const [found] = certificatesIn(certificate);
    const serial = (found?.raw.serialNumber ?? '').toLowerCase().replace(/(..)(?=.)/g, '$1:');
    try {
      await this.#client.revoke(serial, REASONS[reason]);
    } catch (error) {
      if (reasonOf(error) === 'absent') throw notOurs(found?.serial ?? '');
      if (reasonOf(error) !== 'exists') throw asIssuerError(error);
    }
    return { kind: 'revoked', reasonKept: true };
  }

  async health(): Promise<IssuerHealth> {
    try {
      const authority = await this.#asked(() => this.#client.describe());
      return healthOf(authority);
    } catch (error) {
      if (!(error instanceof KeyturnError)) return { ready: false, detail: 'AWS failed without saying why.' };
      return { ready: false, detail: error.fix === undefined ? error.message : `${error.message} ${error.fix}` };
    }
  }

  async close(): Promise<void> {
    this.#client.close();
  }

  /** The one that the authority's key signs with: it never changes, but whether it may sign does. */
  async #algorithm(): Promise<SigningAlgorithm> {
    const authority = await this.#client.describe().catch((error: unknown) => {
      throw asIssuerError(error, 'a look');
    });
    const algorithm = authority.CertificateAuthorityConfiguration?.SigningAlgorithm;
    if (algorithm !== undefined && authority.Status === 'ACTIVE') return algorithm;
    throw issuerRefused(
      `The authority ${this.#settings.authority} does not issue: it is ${authority.Status ?? 'in no state'}.`,
      'Look at it with aws acm-pca describe-certificate-authority.',
    );
  }

  async #fetch(arn: string, signal: AbortSignal) {
    for (const wait of LOOKS_MS) {
      try {
        return await this.#client.get(arn);
      } catch (error) {
        if (reasonOf(error) !== 'not_visible') throw asIssuerError(error, { arn });
        await pause(wait, undefined, { signal, ref: false }).catch(() => undefined);
      }
    }
    return this.#client.get(arn).catch((error: unknown) => {
      throw asIssuerError(error, { arn });
    });
  }

  async #asked<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (error) {
      throw asIssuerError(error);
    }
  }
}

function healthOf({ Status, NotAfter, RevocationConfiguration }: CertificateAuthority): IssuerHealth {
  if (Status !== 'ACTIVE') return { ready: false, detail: `The authority is ${Status ?? 'in no state'}.` };
  if (NotAfter !== undefined && NotAfter.getTime() <= Date.now())
    return { ready: false, detail: 'The authority has expired.' };
  const { CrlConfiguration: list, OcspConfiguration: ocsp } = RevocationConfiguration ?? {};
  if (list?.Enabled === true || ocsp?.Enabled === true) return { ready: true, detail: '' };
  const detail = 'The authority publishes no revocation: nobody would hear of one. Switch on its CRL or OCSP.';
  return { ready: false, detail };
}

function notOurs(serial: string): KeyturnError {
  return issuerRefused(
    `The authority has not issued the certificate ${serial}.`,
    'Ask the issuer that the certificate names.',
    { serial },
  );
}
