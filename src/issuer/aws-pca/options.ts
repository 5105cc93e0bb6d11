import { KeyturnError } from '../../core/errors.ts';
import type { AwsConnectionOptions } from '../../keystore/aws/options.ts';

export interface AwsPcaOptions extends AwsConnectionOptions {
  /** ARN of the certificate authority. */
  readonly authority: string;
  /** Life of a certificate where the partner's profile names none, in seconds. Default: 90 days. */
  readonly lifetimeSeconds?: number;
}

/** The same, judged. */
export interface PcaSettings {
  readonly authority: string;
  readonly region: string;
  readonly lifetimeSeconds: number;
}

const AUTHORITY = /^arn:aws[a-z-]*:acm-pca:([a-z0-9-]+):\d{12}:certificate-authority\/[0-9a-f-]{36}$/;
const DAY_SECONDS = 86_400;

/**
 * The authority says in which region it is.
 * @throws KeyturnError `config_invalid`.
 */
export function pcaSettings({ authority, region, lifetimeSeconds }: AwsPcaOptions): PcaSettings {
  const [, there] = AUTHORITY.exec(authority) ?? [];
  if (there === undefined) {
    throw new KeyturnError('config_invalid', 'That is not the ARN of a certificate authority of AWS Private CA.', {
      fix: 'Look it up: aws acm-pca list-certificate-authorities',
    });
  }
  if (region !== undefined && region !== there) {
    throw new KeyturnError('config_invalid', `The authority is in ${there}, and the region given is ${region}.`, {
      fix: 'Leave the region out: the authority says it.',
    });
  }
  return { authority, region: there, lifetimeSeconds: lifetimeSeconds ?? 90 * DAY_SECONDS };
}
