import { KeyturnError } from '../../core/errors.ts';
import type { Check } from '../../ledger/change.ts';
import { rowPages } from '../../ledger/pages.ts';
import type { AuthorityRow, IssuedRow } from '../../ledger/tables.ts';
import type { RevocationList } from '../driver.ts';
import { issuerRefused, issuerUnavailable } from '../failure.ts';
import { isRevocationReason, type RevocationReason } from '../reason.ts';
import { openAuthority } from './authority.ts';
import type { AuthorityHome, LocalSettings } from './options.ts';
import { type RevokedCertificate, signRevocationList, termOf } from './revocation-list.ts';

/** Attempts at a list, when others sign one at the same time. */
const MAX_ATTEMPTS = 8;

/** A key has one certificate, or none: the commit sees to it. */
export async function issuedFor({ ledger }: AuthorityHome, issuer: string, spki: string): Promise<IssuedRow[]> {
  return ledger.find('issued', { issuer, spki }, { orderBy: 'issued_at' });
}

/**
 * Writes a certificate down; only then may it leave. False when the key has one already.
 * @throws KeyturnError `ledger_unavailable`: it may stand there, and has not left.
 */
export async function enter({ ledger }: AuthorityHome, row: IssuedRow): Promise<boolean> {
  const { issuer, spki, serial, credential, issuance, not_after } = row;
  const outcome = await ledger.commit({
    checks: [{ rule: 'key-unseen', table: 'issued', none: { issuer, spki } }],
    writes: [{ insert: 'issued', row }],
    entry: {
      kind: 'issuer.issued',
      actor: 'system',
      credential,
      data: { issuer, serial, spki, issuance, notAfter: not_after },
    },
  });
  return outcome.committed;
}

/**
 * Revokes what this authority has issued, and puts it on a new list, in one commit. Revoked before, it stays so from
 * when it was; only keyCompromise replaces another reason.
 * @returns the reason that stands on the list.
 * @throws KeyturnError `issuer_refused` for a certificate of somebody else.
 */
export async function enterRevocation(
  home: AuthorityHome,
  settings: LocalSettings,
  serial: string,
  reason: RevocationReason,
): Promise<RevocationReason> {
  const issuer = settings.name;
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const [row] = await home.ledger.find('issued', { issuer, serial });
    if (row === undefined) throw notOurs(issuer, serial);
    const standing = row.reason === null ? null : reasonOf(row.reason);
    if (standing !== null && (standing === 'keyCompromise' || reason !== 'keyCompromise')) return standing;
    const now = home.clock.now();
    const revoked = { ...row, revoked_at: row.revoked_at ?? now, reason };
    if (await replaceList(home, settings, { row: revoked, before: row })) return reason;
  }
  throw tooManyAtOnce(issuer);
}

/**
 * The newest list; past half of its time a new one, if one can be signed now.
 * @throws KeyturnError when it has ended and none can be signed.
 */
export async function revocationList(home: AuthorityHome, settings: LocalSettings): Promise<RevocationList> {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const row = await current(home, settings.name);
    const { from, until } = termOf(row.crl);
    const now = home.clock.now();
    if (now < from + (until - from) / 2) return { pem: row.crl, number: row.crl_number, from, until };
    const replaced = replaceList(home, settings, null);
    const failed = await replaced.then(
      () => null,
      (error: unknown) => error,
    );
    if (failed !== null && now >= until) throw failed;
    if (failed !== null) return { pem: row.crl, number: row.crl_number, from, until };
  }
  throw tooManyAtOnce(settings.name);
}

interface Revocation {
  readonly row: IssuedRow;
  readonly before: IssuedRow;
}

/** False when somebody else has signed a list, or revoked the same certificate, meanwhile. */
async function replaceList(
  home: AuthorityHome,
  settings: LocalSettings,
  revocation: Revocation | null,
): Promise<boolean> {
  // One list after the other, over all servers: each that is signed in vain would be one more to sign anew.
  const fenced = await home.ledger.withFence([`issuer ${settings.name}`], 'wait', ({ checks }) =>
    signList(home, settings, revocation, checks),
  );
  return fenced.ran && fenced.value;
}

async function signList(
  home: AuthorityHome,
  settings: LocalSettings,
  revocation: Revocation | null,
  fence: readonly Check[],
): Promise<boolean> {
  const authority = await current(home, settings.name);
  const { issuer, generation, crl_number } = authority;
  const now = home.clock.now();
  const number = crl_number + 1;
  const revoked = await onTheList(home, settings, revocation?.row ?? null);
  const signing = await openAuthority(home, authority);
  const crl = await signRevocationList(signing, revoked, { number, now, seconds: settings.listSeconds });
  const outcome = await home.ledger.commit({
    checks: [
      ...fence,
      { rule: 'list-newest', table: 'authorities', some: { issuer, generation, crl_number } },
      ...(revocation === null ? [] : [unchanged(revocation.before)]),
    ],
    writes: [
      {
        update: 'authorities',
        where: { issuer, generation },
        set: { crl, crl_number: number, changed_at: now },
        rows: 1,
      },
      ...(revocation === null ? [] : [mark(revocation.row)]),
    ],
    entry: entryOf(issuer, number, revocation?.row ?? null),
  });
  return outcome.committed;
}

function unchanged({ issuer, serial, reason }: IssuedRow) {
  return { rule: 'revocation-unchanged', table: 'issued', some: { issuer, serial, reason } } as const;
}

function mark({ issuer, serial, revoked_at, reason }: IssuedRow) {
  return { update: 'issued', where: { issuer, serial }, set: { revoked_at, reason }, rows: 1 } as const;
}

function entryOf(issuer: string, number: number, row: IssuedRow | null) {
  if (row === null) return { kind: 'issuer.list-signed', actor: 'system', data: { issuer, list: number } };
  const { serial, spki, reason, credential } = row;
  return { kind: 'issuer.revoked', actor: 'system', credential, data: { issuer, serial, spki, reason, list: number } };
}

/** RFC 5280 section 3.3: an entry stays until one list after the certificate's end. */
async function onTheList(
  { ledger, clock }: AuthorityHome,
  { name, listSeconds }: LocalSettings,
  added: IssuedRow | null,
): Promise<RevokedCertificate[]> {
  const since = clock.now() - 2 * listSeconds * 1000;
  const where = { issuer: name, revoked_at: { gt: 0 }, not_after: { gt: since } };
  const all = added === null ? [] : [revokedIn(added)];
  // A page at a time: beside what the list needs, a row holds the whole certificate. Whatever is revoked meanwhile makes
  // a list of its own, and this one fail.
  for await (const rows of rowPages(ledger, 'issued', where, 'serial')) {
    all.push(...rows.filter(({ serial }) => serial !== added?.serial).map(revokedIn));
  }
  return all;
}

function revokedIn({ serial, revoked_at, reason }: IssuedRow): RevokedCertificate {
  return { serial, at: revoked_at ?? 0, reason: reasonOf(reason ?? '') };
}

async function current({ ledger }: AuthorityHome, issuer: string): Promise<AuthorityRow> {
  const [row] = await ledger.find(
    'authorities',
    { issuer, state: 'current' },
    { orderBy: 'generation', descending: true },
  );
  if (row !== undefined) return row;
  throw issuerUnavailable(`The authority ${issuer} has not been made yet.`, { certain: true });
}

function reasonOf(text: string): RevocationReason {
  if (isRevocationReason(text)) return text;
  throw new KeyturnError('ledger_corrupt', 'The ledger holds a reason of revocation that nobody wrote.');
}

function notOurs(issuer: string, serial: string): KeyturnError {
  return issuerRefused(
    `The authority ${issuer} has not issued the certificate ${serial}.`,
    'Ask the issuer that the certificate names.',
    { serial },
  );
}

function tooManyAtOnce(issuer: string): KeyturnError {
  return issuerUnavailable(`The list of ${issuer} was replaced by others each time.`, {
    certain: true,
    fix: 'Ask again.',
  });
}
