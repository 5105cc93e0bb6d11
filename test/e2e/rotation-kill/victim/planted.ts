/**
 * Bugs, planted into the steps of whoever imports this: a victim that loads it rotates wrongly. Each is one that a kill, or
 * its absence, brings to light; what they leave behind is what the examination has to find.
 */
import { createPrivateKey } from 'node:crypto';
import { HANDLERS } from '../../../../src/rotation/steps/handlers.ts';
import { issuerOf } from '../../../../src/rotation/workflow/issuer.ts';
import type { Step } from '../../../../src/rotation/workflow/path.ts';
import { next, type StepContext, type StepHandler } from '../../../../src/rotation/workflow/step.ts';
import { newPrivateKey } from '../../../../src/x509/request/new-key.ts';
import { makeRequest } from '../../../../src/x509/request/request.ts';

const right: Readonly<Record<Step, StepHandler>> = { ...HANDLERS };

/** Interrupted, it takes another number, and leaves behind what it has written. */
const makeKey: StepHandler = (context) => {
  const { row } = context;
  const again = row.record === null ? row : { ...row, version: null, record: null };
  return right['make-key']({ ...context, row: again });
};

/** Interrupted, it asks for another certificate beside the one that it may have. */
const request: StepHandler = async (context) => {
  if (context.facts.requestedAt !== undefined) await askForAnother(context);
  return right.request(context);
};

async function askForAnother(context: StepContext): Promise<void> {
  const { row } = context;
  const { pkcs8, spki } = await newPrivateKey('EC P-256');
  const key = createPrivateKey({ key: pkcs8.bytes, format: 'der', type: 'pkcs8' });
  const named = { subject: [{ type: 'CN', value: row.credential } as const], dns: [], uris: [] };
  await issuerOf(context).issue({
    id: row.id,
    credential: row.credential,
    request: await makeRequest({ key, spki }, named),
    lifetimeSeconds: null,
    issuerChain: null,
    byHand: { partner: 'lean', steps: [], contact: null },
  });
}

/** Nobody looks whether the partner accepts it. */
const canary: StepHandler = async () => next();

/** The old one is revoked while it is current. */
const promote: StepHandler = async (context) => {
  await revokeAtIssuer(context, context.row.replaces);
  return right.promote(context);
};

/** It is dead because it should be. */
const prove: StepHandler = async () => next();

async function revokeAtIssuer(context: StepContext, version: number | null): Promise<void> {
  const { desk, row } = context;
  const [old] = await desk.ledger.find('versions', { credential: row.credential, version: version ?? 0 });
  if (old === undefined) return;
  const byHand = { partner: 'lean', steps: [], contact: null };
  await issuerOf(context).revoke({ certificate: old.certificate, reason: 'superseded', byHand });
}

Object.assign(HANDLERS, { 'make-key': makeKey, request, canary, promote, prove });
