import { credentialName } from '../access/credential-name.ts';
import type { Receipt } from '../audit/receipt.ts';
import { timestamp } from '../core/clock.ts';
import { KeyturnError } from '../core/errors.ts';
import type { VersionRow } from '../ledger/tables.ts';
import { AnswerSealer } from '../sealed/answer.ts';
import type { SealedAnswer } from '../sealed/envelope.ts';
import { authorise, denial } from './authorise.ts';
import type { Caller } from './caller.ts';
import type { Desk } from './desk.ts';
import { noHolds } from './hold/checks.ts';
import { seal, touchedBy } from './lease/grant.ts';
import { readMaterial } from './lease/material.ts';
import { refused } from './refusal.ts';
import { findVersion } from './version/promote.ts';

export interface RevealRequest {
  readonly credential: string;
  readonly version: number;
  /** Why a person must hold the key; recorded. */
  readonly reason: string;
  readonly hpkePublicKey: Buffer;
}

export interface Revealed {
  readonly version: VersionRow;
  readonly expiresAt: string;
  readonly sealed: SealedAnswer;
  readonly receipt: Receipt;
}

/**
 * Hands the private key itself to a person, sealed to their process: a permission of its own and an entry of its own.
 * From then on somebody has a copy that no lease ends.
 * @throws KeyturnError `permission_denied`, `not_found`, `version_state`, `held`.
 */
export async function reveal(desk: Desk, caller: Caller, request: RevealRequest): Promise<Revealed> {
  const credential = credentialName(request.credential);
  const authority = await authorise(desk, caller, 'credential:reveal', credential);
  const version = await findVersion(desk, credential, request.version);
  if (!['staged', 'current', 'previous', 'retired'].includes(version.state)) {
    throw new KeyturnError('version_state', `Version ${version.version} of ${credential} is ${version.state}.`, {
      fix: 'There is no key to reveal in this state.',
    });
  }
  const sealer = AnswerSealer.to(request.hpkePublicKey);
  using material = await readMaterial(desk, version, []);
  const now = desk.clock.now();
  const touched = touchedBy(caller, version, []);
  const outcome = await desk.ledger.commit({
    checks: [
      ...authority.checks,
      {
        rule: 'version-state',
        table: 'versions',
        some: { credential, version: version.version, state: version.state, store: version.store },
      },
      ...noHolds(touched),
    ],
    entry: {
      kind: 'key.revealed',
      actor: caller.principal.id,
      request: caller.request,
      credential,
      version: version.version,
      data: {
        spki: version.spki,
        reason: request.reason,
        grant: authority.decision.rule,
        token: caller.token.id,
        host: caller.host,
        client: sealer.recipient,
      },
    },
    refusal: denial(caller, 'credential:reveal', credential, 'at-commit', { version: version.version }),
    receipt: { seen: 0 },
  });
  if (!outcome.committed) throw refused(outcome.rule);
  if (outcome.receipt === null) throw new KeyturnError('internal', 'The ledger gave no receipt.');
  desk.holds.refuse(touched);
  const row = { id: caller.request, credential, version: version.version, expires_at: now };
  return {
    version,
    expiresAt: timestamp(now),
    sealed: seal(sealer, row, version, material.secrets()),
    receipt: outcome.receipt,
  };
}
