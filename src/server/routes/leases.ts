import { FIRST_GENERATION } from '../../audit/generation.ts';
import type { Desk } from '../../credential/desk.ts';
import { returnLease } from '../../credential/lease/end.ts';
import { grantLease } from '../../credential/lease/grant.ts';
import type { Lease } from '../../credential/lease/lease.ts';
import { renewLease } from '../../credential/lease/renew.ts';
import { type Answer, JSON_TYPE, type Route, route } from '../http/route.ts';
import { leaseText } from '../lease-text.ts';
import { credentialParam, idParam, leaseAnswer, leaseRequest, renewRequest } from '../schemas.ts';

/** Grant, renew and return. */
export function leaseRoutes(desk: Desk): Route[] {
  return [
    route({
      id: 'grantLease',
      frequent: true,
      method: 'post',
      path: '/v1/credentials/{name}/leases',
      summary: 'Borrow the current version for a while; the key comes sealed to your process',
      params: credentialParam,
      json: leaseRequest,
      success: { status: 201, description: 'The lease with its receipt', schema: leaseAnswer },
      problems: [
        'unauthenticated',
        'permission_denied',
        'held',
        'no_current_version',
        'ledger_unavailable',
        'keystore_unavailable',
      ],
      handle: async ({ params, body }, caller) => {
        const { wish, statements } = wishOf(desk, body);
        const lease = await grantLease(desk, caller, params.name, {
          ...wish,
          ...(body.replaces === undefined ? {} : { replaces: body.replaces }),
        });
        return answerOf(desk, lease, statements, 201);
      },
    }),
    route({
      id: 'renewLease',
      frequent: true,
      method: 'post',
      path: '/v1/leases/{id}/renew',
      summary: 'Extend a lease; answers with a new one when another version is current',
      params: idParam,
      json: renewRequest,
      success: { status: 200, description: 'The lease; sealed only when there is something new', schema: leaseAnswer },
      problems: ['unauthenticated', 'permission_denied', 'held', 'lease_ended', 'not_found', 'ledger_unavailable'],
      handle: async ({ params, body }, caller) => {
        const { wish, statements } = wishOf(desk, body);
        const report = { uses: body.uses, report: body.report ?? null, inUse: body.inUse ?? null };
        return answerOf(desk, await renewLease(desk, caller, params.id, { ...wish, ...report }), statements, 200);
      },
    }),
    route({
      id: 'returnLease',
      method: 'delete',
      path: '/v1/leases/{id}',
      summary: 'Give a lease back',
      params: idParam,
      success: { status: 204, description: 'It is over' },
      problems: ['unauthenticated', 'not_found', 'ledger_unavailable'],
      handle: async ({ params }, caller) => {
        await returnLease(desk, caller, params.id);
        return { status: 204 };
      },
    }),
  ];
}

interface Asked {
  readonly hpkePublicKey: string;
  readonly seen: number;
  readonly generation?: number | undefined;
  readonly ttlSeconds?: number | undefined;
}

/** A client that knew the log before it was restored is proven what it can be, and shown the statements. */
function wishOf(desk: Desk, body: Asked) {
  const { from, statements } = desk.generations.since(body.seen, body.generation ?? FIRST_GENERATION);
  const wish = {
    hpkePublicKey: Buffer.from(body.hpkePublicKey, 'base64url'),
    seen: from,
    ...(body.ttlSeconds === undefined ? {} : { ttlSeconds: body.ttlSeconds }),
  };
  return { wish, statements };
}

function answerOf(desk: Desk, lease: Lease, statements: readonly string[], status: 200 | 201): Answer {
  return { status, type: JSON_TYPE, text: leaseText(desk.profiles(), lease, statements), ascii: true };
}
