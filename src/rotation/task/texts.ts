import type { JsonObject } from '../../core/canonical-json.ts';
import { timestamp } from '../../core/clock.ts';
import type { Contact } from '../../issuer/driver.ts';
import type { RevocationReason } from '../../issuer/reason.ts';
import type { RotationRow, VersionRow } from '../../ledger/tables.ts';
import type { Environment, Profile } from '../../partner/profile.ts';
import { readCertificate } from '../../x509/certificate.ts';
import { readPem } from '../../x509/pem.ts';

/** What a person needs to get key and certificate from the partner. */
export function importText(profile: Profile, { lifecycle }: Environment, { credential }: RotationRow): JsonObject {
  const { issuance } = lifecycle;
  const alone = issuance.live === 1;
  return {
    steps: [
      ...(alone
        ? ['First have the upload command ready: the new certificate kills the old one as soon as it is generated.']
        : []),
      ...(issuance.portal.length > 0 ? issuance.portal : [`Have ${profile.title} issue a new certificate.`]),
      `Upload at once: keyturn import ${credential} --zip KEYCERT.zip --chain CHAIN.zip`,
    ],
    command: `keyturn import ${credential} --zip KEYCERT.zip --chain CHAIN.zip`,
    contacts: contactsOf(profile),
  };
}

/** What a person needs to have our request signed. */
export function certificateText(
  profile: Profile,
  { credential }: RotationRow,
  answer: { readonly steps: readonly string[]; readonly request: string | null; readonly contact: Contact | null },
): JsonObject {
  const command = `keyturn rotation attach ${credential} --pem CERTIFICATE.pem`;
  return {
    steps: [...answer.steps, `Upload what comes back: ${command}`],
    command,
    csr: answer.request,
    contacts: answer.contact === null ? contactsOf(profile) : [contactJson(answer.contact)],
  };
}

/** A sentence for the partner, where the reason has one. */
const WHY: Partial<Record<RevocationReason, string>> = {
  superseded: 'Its successor is in use. ',
  keyCompromise: 'Its key may be in the hands of others. ',
};

/** A certificate that somebody is asked to revoke, as a version's row has it. */
export type Revocable = Pick<VersionRow, 'serial' | 'subject' | 'issuer' | 'spki' | 'not_after' | 'certificate'>;

/** What a person sends to the partner to have a certificate revoked, ready to send. */
export function revocationText(
  profile: Profile,
  { credential, reason }: RotationRow,
  version: Revocable,
  contact: Contact | null,
  code: RevocationReason,
): JsonObject {
  const fingerprint = fingerprintOf(version);
  const lines = [
    `Please revoke the client certificate of ${credential} with the serial number ${version.serial}.`,
    '',
    `Subject:              ${version.subject}`,
    `Issuer:               ${version.issuer}`,
    `Serial number (hex):  ${version.serial}`,
    `SHA-256 fingerprint:  ${fingerprint}`,
    `SHA-256 of the key:   ${version.spki}`,
    `Valid until:          ${timestamp(version.not_after)}`,
    `Reason:               ${code}`,
    '',
    `${WHY[code] ?? ''}Nothing of ours shows this certificate any more. Please tell us when it is done.`,
  ];
  return {
    steps: [
      `Send the text below to ${contact === null ? profile.title : (contact.email ?? contact.url ?? contact.role)}.`,
      'When they have confirmed it: keyturn task done TASK --note "…"',
    ],
    subject: `Revocation of certificate ${version.serial}`,
    text: lines.join('\n'),
    serial: version.serial,
    fingerprint,
    reason,
    contacts: contact === null ? contactsOf(profile) : [contactJson(contact)],
  };
}

function fingerprintOf({ certificate }: Revocable): string {
  const [block] = readPem(Buffer.from(certificate, 'utf8'));
  return block === undefined ? '' : readCertificate(block.der).fingerprint;
}

function contactsOf({ contacts }: Profile): JsonObject[] {
  return contacts.map(contactJson);
}

function contactJson({ role, name, email, url }: Contact): JsonObject {
  return {
    role,
    ...(name === undefined ? {} : { name }),
    ...(email === undefined ? {} : { email }),
    ...(url === undefined ? {} : { url }),
  };
}
