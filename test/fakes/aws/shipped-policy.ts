import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Policy } from './iam.ts';
import { ACCOUNT } from './protocol.ts';

/** A policy of policies/aws with its placeholders filled in, as its reader is told to. */
export function shippedPolicy(file: string, fill: { readonly prefix?: string; readonly kmsKeyId: string }): Policy {
  const path = fileURLToPath(new URL(`../../../policies/aws/${file}`, import.meta.url));
  const [, , , region = '', , key = ''] = fill.kmsKeyId.split(':');
  const text = readFileSync(path, 'utf8')
    .replaceAll('REGION', region)
    .replaceAll('ACCOUNT', ACCOUNT)
    .replaceAll('key/KEY', key)
    .replaceAll('secret:keyturn/', `secret:${fill.prefix ?? 'keyturn'}/`);
  return JSON.parse(text) as Policy;
}

/** The same of the policy for an issuer. */
export function shippedIssuerPolicy(authorityArn: string): Policy {
  const path = fileURLToPath(new URL('../../../policies/aws/keyturn-issuer.json', import.meta.url));
  const text = readFileSync(path, 'utf8').replaceAll(
    'arn:aws:acm-pca:REGION:ACCOUNT:certificate-authority/AUTHORITY',
    authorityArn,
  );
  return JSON.parse(text) as Policy;
}
