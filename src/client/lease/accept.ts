import { KeyturnError } from '../../core/errors.ts';
import type { SecretBytes } from '../../core/secret-bytes.ts';
import type { AnswerOpener } from '../../sealed/answer.ts';
import { parseLeaseAnswer } from '../server/answer.ts';
import type { LeaseAnswer } from '../wire.ts';
import { buildMaterial, fingerprintOf, type Material } from './material.ts';
import type { SeenLog } from './seen-log.ts';

const COMPANION = 'companion/';

/** What was asked for, and what is held already. */
export interface Expected {
  readonly call: 'grant' | 'renew';
  readonly credential: string;
  /** Lease that was to be renewed; null for a grant. */
  readonly lease: string | null;
  /** What is in use; null before the first lease. */
  readonly held: Material | null;
}

/** An answer after every check. The companions belong to the receiver, who disposes of them. */
export interface Accepted {
  readonly answer: LeaseAnswer;
  /** Null when what is held goes on. */
  readonly material: Material | null;
  /** By name without `companion/`; empty when nothing new came. */
  readonly companions: ReadonlyMap<string, SecretBytes>;
  /** Chain or server trust changed and no key came to build a context with: a new lease brings it. */
  readonly lacksKey: boolean;
}

/**
 * Judges a lease answer before anything of it is used: its shape; its receipt, and that the receipt's entry is about
 * this very lease; that the sealed part opens for this process and this lease; that key, certificate and SPKI belong
 * together.
 * @throws KeyturnError `receipt_invalid`, `log_forked`, `sealed_answer_invalid`.
 */
export function acceptAnswer(value: unknown, expected: Expected, log: SeenLog, opener: AnswerOpener): Accepted {
  const answer = parseLeaseAnswer(value);
  assertAsked(answer, expected);
  assertReceipt(answer, expected, log, opener);
  const unchanged = expected.held !== null && expected.held.fingerprint === fingerprintOf(answer);
  const secrets = answer.sealed === null ? new Map<string, SecretBytes>() : opener.open(answer.sealed, answer);
  try {
    const key = secrets.get('key');
    const lacksKey = !unchanged && key === undefined;
    if (lacksKey && answer.version !== expected.held?.version) throw invalid('it needs a key and brings none');
    const material = unchanged || key === undefined ? null : buildMaterial(answer, key);
    return { answer, material, companions: takeCompanions(secrets), lacksKey };
  } finally {
    for (const left of secrets.values()) left.dispose();
  }
}

function assertAsked(answer: LeaseAnswer, { credential, held, lease }: Expected): void {
  if (answer.credential !== credential) throw invalid('it is about another credential');
  if (lease !== null && answer.lease !== lease && answer.version === held?.version) {
    throw invalid('it is another lease on the same version');
  }
}

/** The receipt proves an entry; here it must be the entry of this lease to this process. */
function assertReceipt(answer: LeaseAnswer, { call, lease }: Expected, log: SeenLog, opener: AnswerOpener): void {
  const { entry } = log.verify(answer.receipt);
  // A renewal that moves to another version ends one lease and grants the next.
  const kind = call === 'renew' && answer.lease === lease ? 'lease.renewed' : 'lease.granted';
  const facts: readonly (readonly [string, unknown, unknown])[] = [
    ['kind', entry.kind, kind],
    ['credential', entry.credential, answer.credential],
    ['version', entry.version, answer.version],
    ['lease', entry.data['lease'], answer.lease],
    ['spki', entry.data['spki'], answer.spki],
    ['client', entry.data['client'], opener.recipient],
    ['expiresAt', entry.data['expiresAt'], answer.expiresAt],
  ];
  const wrong = facts.find(([, recorded, answered]) => recorded !== answered);
  if (wrong !== undefined) throw another(wrong[0]);
  // As long as it was granted for, whatever the clocks say; a server of before that told it does not record it.
  const { seconds = answer.secondsLeft } = entry.data;
  if (!(typeof seconds === 'number' && answer.secondsLeft <= seconds)) throw another('life');
}

function another(field: string): KeyturnError {
  return new KeyturnError(
    'receipt_invalid',
    `The receipt proves another access: its ${field} is not that of the lease.`,
    {
      fix: 'Treat the server, or what stands before it, as compromised until this is explained.',
      facts: { field },
    },
  );
}

function takeCompanions(secrets: Map<string, SecretBytes>): ReadonlyMap<string, SecretBytes> {
  const companions = new Map<string, SecretBytes>();
  for (const [name, octets] of secrets) {
    if (!name.startsWith(COMPANION)) continue;
    companions.set(name.slice(COMPANION.length), octets);
    secrets.delete(name);
  }
  return companions;
}

function invalid(what: string): KeyturnError {
  return new KeyturnError('sealed_answer_invalid', `The lease answer is refused: ${what}.`, {
    fix: 'Ask for a new lease; if that fails too, look at the server.',
  });
}
