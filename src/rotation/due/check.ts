import type { Lifecycle } from '../../partner/profile.ts';

/** What is known of the current version of a credential, and of those after it, when it is asked whether to rotate. */
export interface DueFacts {
  readonly credential: string;
  readonly version: number;
  /** Milliseconds since the epoch, as all times here. */
  readonly notBefore: number;
  /** Inclusive (RFC 5280 section 4.1.2.5). */
  readonly notAfter: number;
  /** When it became current. */
  readonly currentSince: number;
  /** An incident was declared on its key, or it was marked compromised; null when neither. */
  readonly compromisedAt: number | null;
  /** A person was shown its key; null when nobody was. */
  readonly seenByPersonAt: number | null;
  /** What policy asks of keys has changed so that this one would not be made any more. */
  readonly againstPolicySince: number | null;
  /** When the issuer stops vouching for certificates of this one's CA; null when it is not known to. */
  readonly issuerEndsAt: number | null;
  readonly lifecycle: { readonly issuance: Pick<Lifecycle['issuance'], 'leadTime'> } & Pick<Lifecycle, 'hours'>;
}

/** When certificates are replaced though nothing is wrong with them. Durations in seconds. */
export interface DueRules {
  /** Oldest that a version may become as the current one. Null: no bound. */
  readonly maxAge: number | null;
  /** Share of its lifetime at which a certificate is replaced, above 0 and below 1. Default 2/3. */
  readonly lifetimeShare: number;
  /** How long before the end a rotation must have begun at least, beside the partner's lead time. Default 7 days. */
  readonly margin: number;
}

export const DUE_RULES: DueRules = { maxAge: null, lifetimeShare: 2 / 3, margin: 7 * 86_400 };

/** Why a version is to be replaced, worst first: the first of them that holds is the reason that is told. */
export const DUE_REASONS = [
  'compromised',
  'seen-by-person',
  'against-policy',
  'issuer-ends',
  'expiry',
  'lifetime-share',
  'age',
] as const;
export type DueReason = (typeof DUE_REASONS)[number];

/** Reasons that wait for nothing: no spread, no working hours, no change freeze. */
const URGENT: ReadonlySet<DueReason> = new Set(['compromised']);
/**
 * Not spread, but a change freeze and the partner's hours hold it up, for the margin at most: whoever was shown the key was
 * allowed to be, so nothing is on fire, and a rotation within the minute would take it away while it is looked at.
 */
const PROMPT: ReadonlySet<DueReason> = new Set(['seen-by-person']);

export function isUrgent(reason: DueReason): boolean {
  return URGENT.has(reason);
}

export function isPrompt(reason: DueReason): boolean {
  return PROMPT.has(reason);
}

/** From when on each reason holds; null for one that never will. Pure: the same facts give the same answer. */
export const DUE_CHECKS: Readonly<Record<DueReason, (facts: DueFacts, rules: DueRules) => number | null>> = {
  /** The key is, or may be, in other hands. */
  compromised: ({ compromisedAt }) => compromisedAt,

  /** Who has seen a key can keep it; nothing but a new one ends that. */
  'seen-by-person': ({ seenByPersonAt }) => seenByPersonAt,

  /** A key of a kind that would be refused today. */
  'against-policy': ({ againstPolicySince }) => againstPolicySince,

  /** As long before the issuer's CA ends as a replacement takes. */
  'issuer-ends': (facts, rules) =>
    facts.issuerEndsAt === null ? null : facts.issuerEndsAt - leadBeforeEndMs(facts, rules),

  /** So that the partner's lead time and the margin still fit before the end. */
  expiry: (facts, rules) => facts.notAfter - leadBeforeEndMs(facts, rules),

  /** So that a short certificate is not replaced in its last hours, nor a long one years before. */
  'lifetime-share': ({ notBefore, notAfter }, { lifetimeShare }) => notBefore + (notAfter - notBefore) * lifetimeShare,

  /** Bounds how much is under one key, whatever its certificate says. */
  age: ({ currentSince }, { maxAge }) => (maxAge === null ? null : currentSince + maxAge * 1000),
};

/**
 * How long before a certificate's end its replacement begins at the latest. The margin of a short certificate is half of what
 * the share leaves of its lifetime: a week before the end of one that lives a day would be due for ever, and without the
 * other half neither hours nor change freezes counted for it, nor were many spread.
 */
export function leadBeforeEndMs(
  { notBefore, notAfter, lifecycle }: Pick<DueFacts, 'notBefore' | 'notAfter' | 'lifecycle'>,
  { margin, lifetimeShare }: DueRules,
): number {
  const most = ((notAfter - notBefore) / 1000) * ((1 - lifetimeShare) / 2);
  return leadMs(lifecycle, Math.min(margin, most));
}

/** How long a replacement takes at most, with room to go wrong once. */
function leadMs({ issuance }: DueFacts['lifecycle'], marginSeconds: number): number {
  return ((issuance.leadTime ?? 0) + marginSeconds) * 1000;
}
