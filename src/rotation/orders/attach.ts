import { credentialName, partsOf } from '../../access/credential-name.ts';
import { KeyturnError } from '../../core/errors.ts';
import { authorise, denial } from '../../credential/authorise.ts';
import type { Caller } from '../../credential/caller.ts';
import type { Desk } from '../../credential/desk.ts';
import { refused } from '../../credential/refusal.ts';
import { confirmEnvironment, issuerChainFor } from '../../credential/version/issuer-chain.ts';
import { deviationsOf } from '../../x509/issued/judge-issued.ts';
import { type Judgement, judgeClientCredential } from '../../x509/judge.ts';
import { readUpload } from '../../x509/upload.ts';
import { askedFor } from '../steps/issue/asked-for.ts';
import { closeTasks } from '../task/tasks.ts';
import { attachment } from './attachment.ts';
import { toldOfOurKey } from './our-key.ts';
import { refuseServices } from './person.ts';

export interface AttachRequest {
  readonly credential: string;
  /** Zips and PEM files, as uploaded. */
  readonly files: readonly { readonly name: string; readonly bytes: Buffer }[];
  readonly environmentConfirmed?: string;
  readonly acceptNewChain?: boolean;
}

export interface Attached {
  readonly credential: string;
  readonly version: number;
  readonly rotation: string;
  readonly warnings: readonly { readonly code: string; readonly message: string }[];
  readonly entry: number;
}

/**
 * A certificate that somebody had signed for the rotation's own key, judged as strictly as an import. How it is other than
 * what was asked for is a warning, and on the log: partners put in names and parts as they please, and a person has it in
 * their hands.
 * @throws KeyturnError `not_found` (nothing waits for one), and what an import is refused for; the task stays open then.
 */
export async function attachCertificate(desk: Desk, caller: Caller, request: AttachRequest): Promise<Attached> {
  const credential = credentialName(request.credential);
  const authority = await authorise(desk, caller, 'credential:rotate', credential);
  if (request.acceptNewChain === true || request.environmentConfirmed !== undefined) {
    await refuseServices(desk, caller, credential, 'accepts a new chain or confirms an environment');
  }
  const [row] = await desk.ledger.find('rotations', { credential, ended_at: null });
  if (row === undefined || row.step !== 'await' || row.spki === null || row.state !== 'running') {
    throw new KeyturnError('not_found', `No rotation of ${credential} waits for a certificate of our own key.`, {
      fix: `See where it is: keyturn rotation show ${credential}`,
    });
  }
  const upload = await readUpload(request.files);
  if (upload.key !== null) {
    upload.key.pkcs8.dispose();
    throw new KeyturnError(
      'invalid_input',
      'The upload holds a private key, but this certificate is for a key of ours.',
      {
        fix: 'Upload the certificate and its chain alone.',
      },
    );
  }
  const issuerChain = await issuerChainFor(desk, credential, upload, request.acceptNewChain ?? false);
  const { leaf, chain, warnings } = judged({
    key: { spki: row.spki },
    certificates: upload.certificates,
    issuerChain,
    now: desk.clock.now(),
  });
  confirmEnvironment(desk, credential, chain, request.environmentConfirmed);
  const now = desk.clock.now();
  const deviations = deviationsOf(leaf, askedOf(desk, credential), now);
  const made = attachment(row, { certificate: leaf, chain }, { actor: caller.principal.id, now }, 'attach');
  const outcome = await desk.ledger.commit({
    checks: [
      ...authority.checks,
      { rule: 'rotation-moved-on', table: 'rotations', some: { id: row.id, revision: row.revision } },
      ...(made.checks ?? []),
    ],
    writes: [
      ...(made.writes ?? []),
      ...closeTasks(row, ['certificate'], 'done', now),
      {
        update: 'rotations',
        where: { id: row.id },
        set: { revision: row.revision + 1, changed_at: now, waits_for: '' },
        rows: 1,
      },
    ],
    entry: {
      kind: 'version.issued',
      actor: caller.principal.id,
      request: caller.request,
      credential,
      ...(row.version === null ? {} : { version: row.version }),
      data: {
        rotation: row.id,
        uploadSha256: upload.sha256,
        ...(deviations.length === 0 ? {} : { differs: deviations.map(({ code }) => code) }),
        ...made.entry?.data,
      },
    },
    refusal: denial(caller, 'credential:rotate', credential, 'at-commit', { rotation: row.id }),
  });
  if (!outcome.committed) throw refused(outcome.rule);
  return {
    credential,
    version: row.version ?? 0,
    rotation: row.id,
    warnings: [...warnings, ...deviations],
    entry: outcome.index,
  };
}

function judged(candidate: Parameters<typeof judgeClientCredential>[0]): Judgement {
  try {
    return judgeClientCredential(candidate);
  } catch (error) {
    throw toldOfOurKey(error);
  }
}

function askedOf(desk: Desk, credential: string) {
  const { partner, environment } = partsOf(credential);
  return askedFor(desk.profiles().environment(partner, environment), credential);
}
