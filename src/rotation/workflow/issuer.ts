import { timestamp } from '../../core/clock.ts';
import { isKeyturnError, KeyturnError } from '../../core/errors.ts';
import type { Revoked, RevokeRequest } from '../../issuer/driver.ts';
import type { Issuer } from '../../issuer/issuer.ts';
import type { StepContext } from './step.ts';

/** What nothing but the issuer can do. @throws KeyturnError `config_invalid`: this server does not have it. */
export function issuerOf({ issuer, row }: StepContext): Issuer {
  if (issuer !== null) return issuer;
  throw missing(row.issuer, '');
}

/**
 * What a person can do in its place: null when this server has not had the issuer for so long that it is taken to be gone.
 * Until then it may be a server whose configuration is older, or newer, than those of the others.
 * @throws KeyturnError `config_invalid`
 */
export function issuerOrPerson({ issuer, row, facts, pace, now }: StepContext): Issuer | null {
  if (issuer !== null) return issuer;
  const until = Math.max(row.step_since, facts.undone?.at ?? 0) + pace.lostIssuerMs;
  if (now() >= until) return null;
  throw missing(row.issuer, ` From ${timestamp(until)} on a person is asked to do its part.`);
}

/** `asked`: a person has to be, since the issuer is gone, refuses, or can't. @throws KeyturnError `issuer_unavailable` */
export async function haveIssuerRevoke(
  issuer: Issuer | null,
  request: RevokeRequest,
): Promise<Revoked | { readonly kind: 'asked' }> {
  if (issuer === null) return { kind: 'asked' };
  try {
    return await issuer.revoke(request);
  } catch (error) {
    if (isKeyturnError(error, 'issuer_refused')) return { kind: 'asked' };
    throw error;
  }
}

function missing(name: string, then: string): KeyturnError {
  return new KeyturnError('config_invalid', `This server has no issuer named ${name}.${then}`, {
    fix: 'Add the issuer to the configuration of this server.',
  });
}
