import { z } from 'zod';
import { timestamp } from '../../core/clock.ts';
import { KeyturnError } from '../../core/errors.ts';
import { SecretBytes } from '../../core/secret-bytes.ts';
import { setCompanion } from '../../credential/companion.ts';
import type { Desk } from '../../credential/desk.ts';
import { type CredentialView, listCredentials, showCredential } from '../../credential/inventory.ts';
import { importVersion } from '../../credential/version/import.ts';
import { ok, type Route, route, type UploadedFile } from '../http/route.ts';
import { credentialParam } from '../schemas.ts';

/** What one answer holds when nothing else is asked for, and at most. */
const DEFAULT_PAGE = 100;
const LARGEST_PAGE = 500;

const pageQuery = z.object({
  after: z.string().max(100).optional().meta({ description: '`next` of the page before' }),
  limit: z.coerce.number().int().min(1).max(LARGEST_PAGE).optional(),
});
const storeQuery = z.object({ store: z.string().max(64).optional() });
const companionParams = credentialParam.extend({ companion: z.string().max(64) });

/** What a person sees of a credential: public facts, times as RFC 3339. */
function shown({ credential, versions, companions, holds, liveLeases }: CredentialView) {
  return {
    name: credential.name,
    partner: credential.partner,
    environment: credential.environment,
    createdAt: timestamp(credential.created_at),
    current: versions.find(({ state }) => state === 'current')?.version ?? null,
    frozen: holds.length > 0,
    versions: versions.map((row) => ({
      version: row.version,
      state: row.state,
      subject: row.subject,
      issuer: row.issuer,
      serial: row.serial,
      spki: row.spki,
      notBefore: timestamp(row.not_before),
      notAfter: timestamp(row.not_after),
      store: row.store,
      certificate: row.certificate,
      custody: JSON.parse(row.custody) as unknown,
      changedAt: timestamp(row.changed_at),
    })),
    companions: companions.map(({ name, generation, created_at }) => ({
      name,
      generation,
      setAt: timestamp(created_at),
    })),
    holds: holds.map(({ id, target, subject, reason, placed_by, placed_at }) => ({
      id,
      target,
      subject,
      reason,
      placedBy: placed_by,
      placedAt: timestamp(placed_at),
    })),
    leases: liveLeases.map((lease) => ({ ...lease, expiresAt: timestamp(lease.expiresAt) })),
  };
}

/** Credentials, imports and companions; what is done to one version is in versions.ts. */
export function credentialRoutes(desk: Desk): Route[] {
  return [
    route({
      id: 'listCredentials',
      method: 'get',
      path: '/v1/credentials',
      summary: 'Credentials that you may list, a page at a time',
      query: pageQuery,
      success: {
        status: 200,
        description: 'Sorted by name; `next` is null on the last page, or what `after` is for the next one',
      },
      problems: ['unauthenticated', 'invalid_input', 'ledger_unavailable'],
      handle: async ({ query: { after = '', limit = DEFAULT_PAGE } }, caller) => {
        const { items, next } = await listCredentials(desk, caller, { after, limit });
        return ok({ items: items.map(shown), next });
      },
    }),
    route({
      id: 'showCredential',
      method: 'get',
      path: '/v1/credentials/{name}',
      summary: 'One credential with its versions, companions, holds and live leases',
      params: credentialParam,
      success: { status: 200, description: 'Public facts only' },
      problems: ['unauthenticated', 'permission_denied', 'not_found', 'ledger_unavailable'],
      handle: async ({ params }, caller) => ok(shown(await showCredential(desk, caller, params.name))),
    }),
    route({
      id: 'importVersion',
      method: 'post',
      path: '/v1/credentials/{name}/versions',
      summary: 'Import a key and certificate that the partner made (zip, PKCS#12 or PEM files, multipart/form-data)',
      params: credentialParam,
      body: { kind: 'upload' },
      success: { status: 201, description: 'The custody record' },
      problems: [
        'key_mismatch',
        'chain_untrusted',
        'certificate_expired',
        'archive_rejected',
        'key_seen_before',
        'environment_required',
      ],
      handle: async ({ params, files, fields }, caller) =>
        ok(await importVersion(desk, caller, { credential: params.name, ...uploadOf(files, fields) }), 201),
    }),
    companionRoute(desk),
  ];
}

function companionRoute(desk: Desk): Route {
  return route({
    id: 'setCompanion',
    method: 'put',
    path: '/v1/credentials/{name}/companions/{companion}',
    summary: 'Set a companion secret (raw octets)',
    params: companionParams,
    query: storeQuery,
    body: { kind: 'octets', limit: 8_192 },
    success: { status: 200, description: 'Its generation' },
    problems: ['permission_denied', 'not_found', 'invalid_input', 'payload_too_large'],
    handle: async ({ params, query, octets }, caller) => {
      if (octets === null)
        throw new KeyturnError('invalid_input', 'The body holds no secret.', { fix: 'Send its octets.' });
      const target = {
        credential: params.name,
        name: params.companion,
        ...(query.store === undefined ? {} : { store: query.store }),
      };
      return ok(await setCompanion(desk, caller, target, octets));
    },
  });
}

/**
 * What an upload's form holds: any number of files, `password` as a file part, `environment`, `acceptNewChain`, `store`.
 * @throws KeyturnError `invalid_input` for another field.
 */
export function uploadOf(files: readonly UploadedFile[], fields: Readonly<Record<string, string>>) {
  for (const name of Object.keys(fields)) {
    if (!['environment', 'acceptNewChain', 'store'].includes(name)) {
      throw new KeyturnError('invalid_input', 'The form has a field that this operation does not know.', {
        fix: 'Fields are environment, acceptNewChain and store; a password is sent as a file part named password.',
      });
    }
  }
  const [password, ...others] = files.filter(({ field }) => field === 'password');
  if (others.length > 0) {
    throw new KeyturnError('invalid_input', 'The form has more than one password.', {
      fix: 'Import files with different passwords one after the other.',
    });
  }
  return {
    files: files.filter(({ field }) => field !== 'password').map(({ name, bytes }) => ({ name, bytes })),
    ...(password === undefined ? {} : { password: SecretBytes.own(password.bytes) }),
    ...(fields['environment'] === undefined ? {} : { environmentConfirmed: fields['environment'] }),
    ...(fields['store'] === undefined ? {} : { store: fields['store'] }),
    acceptNewChain: fields['acceptNewChain'] === 'true',
  };
}
