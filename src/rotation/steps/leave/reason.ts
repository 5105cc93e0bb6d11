import type { RevocationReason } from '../../../issuer/reason.ts';
import type { RotationRow, VersionRow } from '../../../ledger/tables.ts';

/**
 * Why a certificate is revoked (RFC 5280 section 5.3.1). `keyCompromise`: its key is, or may be, in other hands: the version is
 * compromised, or that is why it is replaced. `superseded`: another one took its place, for whatever other reason (age, end,
 * policy, an issuer that ends; a person who was shown the key was allowed to be). `cessationOfOperation`: what a rotation made
 * is given up, and nobody needs it. What ends an issuer is the issuer's to say.
 */
export function revocationReason(
  fate: 'replaced' | 'given-up',
  { reason }: Pick<RotationRow, 'reason'>,
  version: Pick<VersionRow, 'state'> | null,
): RevocationReason {
  if (version?.state === 'compromised') return 'keyCompromise';
  if (fate === 'given-up') return 'cessationOfOperation';
  return reason === 'compromised' ? 'keyCompromise' : 'superseded';
}
