import { createPrivateKey } from 'node:crypto';
import { KeyturnError } from '../../../core/errors.ts';
import { storeNamed } from '../../../credential/store/settle-moves.ts';
import { issuerChainOf } from '../../../credential/version/issuer-chain.ts';
import type { Awaited, IssueRequest } from '../../../issuer/driver.ts';
import { mayHaveHappened } from '../../../issuer/failure.ts';
import type { Issued } from '../../../issuer/issuer.ts';
import { type CertificateRequest, makeRequest } from '../../../x509/request/request.ts';
import { attachment } from '../../orders/attachment.ts';
import { DEFAULT_LEAD_SECONDS } from '../../orders/timetable.ts';
import { openTask } from '../../task/tasks.ts';
import { certificateText } from '../../task/texts.ts';
import { byHandOf } from '../../workflow/by-hand.ts';
import { issuerOf } from '../../workflow/issuer.ts';
import type { Progress, StepOutcome } from '../../workflow/journal.ts';
import { backoff, halt, next, type StepContext, type StepHandler, wait } from '../../workflow/step.ts';
import { askedFor } from './asked-for.ts';

/**
 * Our request goes to the issuer, once it is on record that it may arrive there. Whoever comes back to it after that
 * looks for the key's certificate before asking again.
 */
export const requestCertificate: StepHandler = async (context) => {
  const { store } = context.row;
  if (store !== null && context.desk.holds.isHeld('store', store)) {
    return wait(`The key store ${store} is frozen.`, context.pace.lookMs);
  }
  const issuer = issuerOf(context);
  const request = await requestOf(context);
  const ask = await questionOf(context, request);
  const before = context.facts.requestedAt !== undefined;
  if (!before) await intend(context, request);
  try {
    const answer = before ? await issuer.resume(ask) : await issuer.issue(ask);
    context.point('request:answered');
    return answer.kind === 'issued' ? await taken(context, answer) : next(asked(context, answer));
  } catch (error) {
    return failed(context, error, before);
  }
};

function intend({ journal, now, row }: StepContext, { pem, spki }: CertificateRequest): Promise<void> {
  return journal.note('rotation.csr-intended', {
    facts: { requestedAt: now(), csr: pem },
    entry: { kind: 'rotation.csr-intended', data: { issuer: row.issuer, spki } },
  });
}

async function requestOf({ desk, row, environment }: StepContext): Promise<CertificateRequest> {
  if (row.store === null || row.record === null || row.spki === null) {
    throw new KeyturnError('internal', 'A request is made for a key that there is not.');
  }
  using octets = await storeNamed(desk, row.store).read(row.record);
  const key = createPrivateKey({ key: octets.bytes, format: 'der', type: 'pkcs8' });
  return makeRequest({ key, spki: row.spki }, askedFor(environment, row.credential).identity);
}

async function questionOf(context: StepContext, request: CertificateRequest): Promise<IssueRequest> {
  const { desk, row, profile, environment } = context;
  const { requestedAt } = context.facts;
  return {
    id: row.id,
    ...(requestedAt === undefined ? {} : { askedAt: requestedAt }),
    credential: row.credential,
    request,
    lifetimeSeconds: askedFor(environment, row.credential).lifetimeSeconds,
    issuerChain: await issuerChainOf(desk, row.credential),
    byHand: byHandOf(profile, environment),
  };
}

/** What came is ours to use, or ours to have revoked. */
async function taken({ row, now }: StepContext, issued: Issued): Promise<StepOutcome> {
  const { certificate, mismatches } = issued;
  if (mismatches.length === 0) return next(attachment(row, issued, { actor: row.issuer, now: now() }, row.step));
  const what = mismatches.map(({ message }) => message).join(' ');
  const { serial, fingerprint } = certificate;
  return halt(`The issuer's certificate is not what was asked for: ${what}`, {
    entry: {
      kind: 'rotation.certificate-refused',
      data: { serial, fingerprint, codes: mismatches.map(({ code }) => code) },
    },
  });
}

function asked({ row, profile, environment, now }: StepContext, answer: Awaited): Progress {
  const lead = (environment.lifecycle.issuance.leadTime ?? DEFAULT_LEAD_SECONDS) * 1000;
  const task = {
    kind: 'certificate',
    owner: answer.contact?.role ?? row.asked_by,
    title: `Have the request of ${row.credential} signed`,
    body: certificateText(profile, row, answer),
    dueAt: now() + lead,
  } as const;
  return { writes: [openTask(row, task, now())] };
}

function failed(context: StepContext, error: unknown, before: boolean): StepOutcome {
  if (!(error instanceof KeyturnError)) throw error;
  if (error.code === 'issuer_unavailable') {
    const may = mayHaveHappened(error) ? ' A certificate may exist.' : '';
    return wait(`${error.message}${may} Trying again.`, backoff(context));
  }
  if (error.code === 'issuer_refused' || error.code === 'invalid_input') {
    // The first of them, and it was not taken: nothing was asked for.
    return halt(error.message, before ? {} : { facts: { requestedAt: undefined } });
  }
  throw error;
}
