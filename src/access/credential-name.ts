import { KeyturnError } from '../core/errors.ts';

/** Characters of a whole name, so that it fits the record names of every key store. */
export const MAX_CREDENTIAL_NAME = 100;

/** One segment of a name or of a pattern. */
const PART = '[a-z0-9][a-z0-9._-]{0,63}';
const SEGMENT = new RegExp(`^${PART}$`);
const NAME = new RegExp(`^${PART}(?:/${PART}){1,2}$`);

/** False for a segment with two dots in a row, which reads as a way up in a path. */
export function isSegment(text: string): boolean {
  return SEGMENT.test(text) && !text.includes('..');
}

/** True for `partner/environment` or `partner/environment/purpose` in canonical form. */
export function isCredentialName(text: string): boolean {
  return text.length <= MAX_CREDENTIAL_NAME && NAME.test(text) && !text.includes('..');
}

/**
 * The text itself when it is a credential's name. It is attacker-controlled: canonical or refused, no case folding,
 * no trimming, no decoding, so that one credential never has two names.
 * @throws KeyturnError `invalid_input`.
 */
export function credentialName(text: string): string {
  if (isCredentialName(text)) return text;
  throw new KeyturnError('invalid_input', 'That is not the name of a credential.', {
    fix: `Write partner/environment, e.g. lean/sandbox: 2 or 3 parts of lower-case letters, digits, dots, hyphens and underscores, ${MAX_CREDENTIAL_NAME} characters at most.`,
  });
}

/** Partner and environment that a credential's name (already canonical) begins with. */
export function partsOf(credential: string): { readonly partner: string; readonly environment: string } {
  const [partner = '', environment = ''] = credential.split('/');
  return { partner, environment };
}
