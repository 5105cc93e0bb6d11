import type { Environment } from '../../../partner/profile.ts';
import type { Asked } from '../../../x509/issued/judge-issued.ts';

/** What the profile has us ask of an issuer, for a credential. */
export function askedFor({ lifecycle }: Environment, credential: string): Pick<Asked, 'identity' | 'lifetimeSeconds'> {
  const { request, lifetime } = lifecycle.issuance;
  const { subject, dns, uris } = request;
  const named = subject.length > 0 ? subject : [{ type: 'CN', value: credential } as const];
  return { identity: { subject: named, dns, uris }, lifetimeSeconds: lifetime ?? null };
}
