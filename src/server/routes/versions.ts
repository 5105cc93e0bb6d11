import { z } from 'zod';
import type { Desk } from '../../credential/desk.ts';
import { reveal } from '../../credential/reveal.ts';
import { destroyVersion } from '../../credential/version/destroy.ts';
import { promote } from '../../credential/version/promote.ts';
import { retire } from '../../credential/version/retire.ts';
import { ok, type Route, route } from '../http/route.ts';
import { credentialParam, retireRequest, revealRequest } from '../schemas.ts';

const versionParams = credentialParam.extend({ version: z.coerce.number().int().min(1) });

/** What is done to one version of a credential. */
export function versionRoutes(desk: Desk): Route[] {
  return [
    route({
      id: 'promoteVersion',
      method: 'post',
      path: '/v1/credentials/{name}/versions/{version}/promote',
      summary: 'Make a staged or the previous version current',
      params: versionParams,
      success: { status: 200, description: 'What was promoted, and what was current before' },
      problems: ['permission_denied', 'not_found', 'version_state', 'held', 'conflict'],
      handle: async ({ params }, caller) => ok(await promote(desk, caller, params.name, params.version)),
    }),
    route({
      id: 'retireVersion',
      method: 'post',
      path: '/v1/credentials/{name}/versions/{version}/retire',
      summary: 'End the use of a staged or previous version; refused while leases are live on it, unless forced',
      params: versionParams,
      json: retireRequest,
      success: { status: 200, description: 'What was retired, and how many leases were live on it' },
      problems: ['permission_denied', 'not_found', 'version_state', 'conflict'],
      handle: async ({ params, body }, caller) =>
        ok(await retire(desk, caller, params.name, { version: params.version, force: body.force ?? false })),
    }),
    route({
      id: 'destroyVersion',
      method: 'post',
      path: '/v1/credentials/{name}/versions/{version}/destroy',
      summary: 'Destroy the key of a retired version in its store, old copies included',
      params: versionParams,
      success: { status: 200, description: 'The stores that it was destroyed in' },
      problems: ['permission_denied', 'not_found', 'version_state', 'held', 'conflict', 'keystore_unavailable'],
      handle: async ({ params }, caller) => ok(await destroyVersion(desk, caller, params.name, params.version)),
    }),
    revealRoute(desk),
  ];
}

function revealRoute(desk: Desk): Route {
  return route({
    id: 'revealKey',
    method: 'post',
    path: '/v1/credentials/{name}/versions/{version}/reveal',
    summary: 'Hand the private key to a person, sealed to their process; audited as such',
    params: versionParams,
    json: revealRequest,
    success: { status: 200, description: 'Certificate, chain and the sealed key' },
    problems: ['permission_denied', 'not_found', 'version_state', 'held'],
    handle: async ({ params, body }, caller) => {
      const { version, expiresAt, sealed, receipt } = await reveal(desk, caller, {
        credential: params.name,
        version: params.version,
        reason: body.reason,
        hpkePublicKey: Buffer.from(body.hpkePublicKey, 'base64url'),
      });
      const { certificate, chain, spki } = version;
      return ok({
        request: caller.request,
        credential: version.credential,
        version: version.version,
        spki,
        expiresAt,
        certificate,
        chain,
        sealed,
        receipt,
      });
    },
  });
}
