import type { ByHand, Contact } from '../../issuer/driver.ts';
import type { Environment, Profile } from '../../partner/profile.ts';

/** What the profile says of getting things by hand, as an issuer that is a person wants it. */
export function byHandOf(profile: Profile, { partner, lifecycle }: Environment): ByHand {
  return { partner, steps: lifecycle.issuance.portal, contact: contactOf(profile, lifecycle.revocation.contact) };
}

/** The contact of that role; null when the profile names none. */
export function contactOf({ contacts }: Profile, role: string | undefined): Contact | null {
  return contacts.find((contact) => contact.role === role) ?? null;
}
