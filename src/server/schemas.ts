import { z } from 'zod';
import type { GrantRequest, LeaseAnswer, RenewRequest } from '../client/wire.ts';
import type { FreezeRequest } from '../credential/hold/freeze.ts';
import { HOLD_TARGETS } from '../ledger/tables.ts';

/** Names as they appear in a path. What they mean is checked by the use case, which refuses any other spelling. */
export const credentialParam = z.object({ name: z.string().min(3).max(100) });
export const idParam = z.object({ id: z.string().regex(/^[a-z]+_[0-9a-f]{32}$/) });

const base64Url32 = z.string().regex(/^[A-Za-z0-9_-]{43}$/);
export const treeSize = z.int().min(0);
/** One line of text for people: no control character, no line or paragraph separator, no half of a surrogate pair. */
const line = z
  .string()
  .trim()
  .min(1)
  .regex(/^[^\p{Cc}\p{Cs}\p{Zl}\p{Zp}\ufeff]*$/u);
const reason = line.max(500);
const hex64 = z.string().regex(/^[0-9a-f]{64}$/);

const leaseFields = {
  hpkePublicKey: base64Url32,
  seen: treeSize,
  /** Generation of the log that `seen` counts in; absent for the first. */
  generation: z.int().min(1).optional(),
  ttlSeconds: z.int().min(10).max(86_400).optional(),
};

/** What one process counts between two reports. */
const counted = z.int().min(0).max(1_000_000_000);
const use = z.strictObject({
  version: z.int().min(1),
  host: line.max(260),
  requests: counted,
  /** Of them, those that the certificate may have failed; absent for none. */
  failures: counted.optional(),
  /** Seconds since the first of these. */
  failedAgo: z.int().min(0).max(86_400).optional(),
});

export const leaseRequest = z
  .strictObject({
    ...leaseFields,
    /** The caller's lease that this one takes the place of. */
    replaces: z
      .string()
      .regex(/^lease_[0-9a-f]{32}$/)
      .optional(),
  })
  .meta({ id: 'LeaseRequest' });
export const renewRequest = z
  .strictObject({
    ...leaseFields,
    uses: z.array(use).max(64),
    /** Number of this report under the lease: one that comes again, alone or with more, has the same. */
    report: z.int().min(1).optional(),
    /** Versions in use under this lease; absent from a client that does not say. */
    inUse: z.array(z.int().min(1)).max(64).optional(),
  })
  .meta({ id: 'RenewRequest' });

const receipt = z
  .object({
    index: treeSize,
    entry: z.string(),
    inclusion: z.array(z.string()),
    checkpoint: z.string(),
    consistency: z.object({ from: treeSize, path: z.array(z.string()) }).optional(),
    generations: z.array(z.string()).optional(),
  })
  .meta({ id: 'Receipt' });

const sealed = z.object({ enc: z.string(), seq: treeSize, ct: z.string() }).meta({ id: 'SealedAnswer' });

export const leaseAnswer = z
  .object({
    lease: z.string(),
    credential: z.string(),
    version: z.int(),
    spki: hex64,
    secondsLeft: z.int(),
    expiresAt: z.iso.datetime(),
    certificate: z.string(),
    chain: z.string(),
    trust: z.object({ mode: z.enum(['pinned', 'system', 'both']), pem: z.string() }),
    endpoints: z.array(z.string()),
    refusals: z.array(
      z.union([
        z.object({ kind: z.literal('alert') }),
        z.object({ kind: z.literal('close') }),
        z.object({ kind: z.literal('status'), status: z.int() }),
      ]),
    ),
    sealed: sealed.nullable(),
    receipt,
  })
  .meta({ id: 'LeaseAnswer' });

// The client's plain types and these schemas are one contract: the compiler compares them.
type Same<A, B> = [A] extends [B] ? true : never;
type Written<T> = { [K in keyof T]: T[K] | undefined };
export const CONTRACT: readonly [
  Same<z.infer<typeof leaseRequest>, Written<GrantRequest>>,
  Same<z.infer<typeof renewRequest>['uses'][number], Written<RenewRequest['uses'][number]>>,
  Same<LeaseAnswer['sealed'], z.infer<typeof leaseAnswer>['sealed']>,
] = [true, true, true];

export const freezeRequest = z
  .strictObject({
    target: z.enum(HOLD_TARGETS),
    subject: z.string().min(1).max(260),
    version: z.int().min(1).optional(),
    reason,
    /** Chosen by whoever tells several servers of one freeze, so that it is one hold. */
    hold: z
      .string()
      .regex(/^hold_[0-9a-f]{32}$/)
      .optional(),
  })
  .meta({ id: 'FreezeRequest' });

/** As the use case takes it: without members that were left out. */
export function freezeOf({ version, hold, ...rest }: z.infer<typeof freezeRequest>): FreezeRequest {
  return { ...rest, ...(version === undefined ? {} : { version }), ...(hold === undefined ? {} : { hold }) };
}

export const tokenRequest = z
  .strictObject({
    principal: z.string().min(3).max(120),
    ttlSeconds: z.int().min(60),
    comment: line.max(200),
  })
  .meta({ id: 'TokenRequest' });

export const revealRequest = z.strictObject({ reason, hpkePublicKey: base64Url32 }).meta({ id: 'RevealRequest' });

const storeName = z.string().min(1).max(64);
export const storeParam = z.object({ store: storeName });
export const copyQuery = z.object({ store: storeName.optional() });
export const planRequest = z
  .strictObject({ to: storeName, credentials: z.array(z.string().max(100)).min(1).max(1_000).optional() })
  .meta({ id: 'PlanRequest' });
export const moveRequest = z
  .strictObject({ to: storeName, record: z.string().min(3).max(200) })
  .meta({ id: 'MoveRequest' });
export const retireRequest = z.strictObject({ force: z.boolean().optional() }).meta({ id: 'RetireRequest' });

export const canIRequest = z
  .strictObject({
    principal: z.string().min(3).max(120).optional(),
    permission: z.string().min(3).max(60),
    credential: z.string().max(100).optional(),
  })
  .meta({ id: 'CanIRequest' });

export const auditQuery = z.strictObject({
  from: z.coerce.number().int().min(0).optional(),
  to: z.coerce.number().int().min(0).optional(),
  kind: line.max(60).optional(),
  actor: line.max(120).optional(),
  credential: line.max(100).optional(),
  since: z.iso.datetime({ offset: true }).optional(),
  until: z.iso.datetime({ offset: true }).optional(),
  newest: z.enum(['true', 'false']).optional(),
  limit: z.coerce.number().int().min(1).max(1000).optional(),
});

export const backupRequest = z.strictObject({ recipient: z.string().min(1).max(100) }).meta({ id: 'BackupRequest' });

export const reasonRequest = z.strictObject({ reason }).meta({ id: 'ReasonRequest' });
export const rotationRequest = z
  .strictObject({
    reason,
    /** The version's key is, or may be, in other hands. */
    compromised: z.boolean().optional(),
    /** Whose key that is; default: the current version's. A rotation that is on its way to replace it takes it up. */
    version: z.int().min(1).optional(),
  })
  .refine(({ compromised, version }) => version === undefined || compromised === true, {
    path: ['version'],
    message: 'is for a key that has leaked: with compromised alone',
  })
  .meta({ id: 'RotationRequest' });
export const waiverRequest = z
  .strictObject({
    what: z.enum(['canary', 'drain', 'proof', 'holder']),
    /** The principal whose copy is waived; for a holder alone. */
    holder: z.string().min(3).max(120).optional(),
    reason,
  })
  .meta({ id: 'WaiverRequest' });
export const taskDoneRequest = z.strictObject({ note: reason }).meta({ id: 'TaskDoneRequest' });

/** Rows of one page of holds or tokens, where no other number is asked for, and at most. */
const ID_PAGE = 1_000;

/** A page of what is listed in order of ids. */
export const pageQuery = z.object({
  after: z.string().max(100).optional().meta({ description: '`next` of the page before' }),
  limit: z.coerce.number().int().min(1).max(ID_PAGE).optional(),
});

export const PAGED = 'Oldest first; `next` is null on the last page, or what `after` is for the next one';

export function pageAsked({ after = '', limit = ID_PAGE }: z.infer<typeof pageQuery>) {
  return { after, limit };
}
