import { z } from 'zod';
import { KeyturnError } from '../../../core/errors.ts';
import { isPublishing, type Publishing } from '../../../issuer/driver.ts';
import type { Issuer } from '../../../issuer/issuer.ts';
import { type Route, route } from '../../http/route.ts';

const issuerParam = z.object({ issuer: z.string().regex(/^[a-z0-9][a-z0-9-]{0,31}$/) });
/** RFC 8555 section 9.1 for a chain; a revocation list in PEM has no type of its own. */
const CERTIFICATE = 'application/pem-certificate-chain';
const LIST = 'application/x-pem-file';

/**
 * What an authority of ours tells the world: its certificate, for whoever is to accept what it issues, and what it has
 * revoked. Both are signed or public, so anybody may fetch them.
 */
export function issuerRoutes(issuers: ReadonlyMap<string, Issuer>): Route[] {
  const publishing = (name: string): Publishing => {
    const driver = issuers.get(name)?.driver;
    if (driver !== undefined && isPublishing(driver)) return driver;
    throw new KeyturnError('not_found', 'There is no authority of that name here.', {
      fix: 'Name an issuer of the kind local; others publish for themselves.',
    });
  };
  return [
    route({
      id: 'showAuthority',
      method: 'get',
      path: '/v1/issuers/{issuer}/authority.pem',
      summary: 'Certificate of an authority of our own, PEM',
      auth: 'none',
      params: issuerParam,
      success: { status: 200, description: 'Trust for whoever accepts what it issues' },
      problems: ['not_found', 'keystore_unavailable', 'ledger_unavailable'],
      handle: async ({ params }) => {
        return { status: 200, type: CERTIFICATE, text: await publishing(params.issuer).authority() };
      },
    }),
    route({
      id: 'showRevocationList',
      method: 'get',
      path: '/v1/issuers/{issuer}/revoked.pem',
      summary: 'Newest revocation list of an authority of our own, PEM',
      auth: 'none',
      params: issuerParam,
      success: { status: 200, description: 'Signed anew in time; every revocation is on it when it counts' },
      problems: ['not_found', 'keystore_unavailable', 'ledger_unavailable'],
      handle: async ({ params }) => {
        return { status: 200, type: LIST, text: (await publishing(params.issuer).revocationList()).pem };
      },
    }),
  ];
}
