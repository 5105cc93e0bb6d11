import { KeyturnError } from '../../core/errors.ts';
import type { Json, JsonObject, VaultAnswer } from '../../keystore/vault/client/answer.ts';
import { answerObject, objectAt, textsAt } from '../../keystore/vault/client/answer.ts';
import { reasonOf } from '../../keystore/vault/client/reason.ts';
import type { VaultLink } from '../../keystore/vault/connect.ts';
import { missingPrivileges } from '../../keystore/vault/denial.ts';
import { issuerUnavailable } from '../failure.ts';
import type { PkiPath } from './options.ts';

/** What the engine answered that it understood; `refusal` is its own text for what it did not, for matching alone. */
export type PkiAnswer =
  | { readonly data: JsonObject; readonly refusal: null }
  | { readonly data: null; readonly refusal: string };

/**
 * One question to the engine. A question that changes something is not repeated unless it certainly did nothing.
 * `data` is empty where there is no such thing.
 * @throws KeyturnError `issuer_unavailable`, with the reason among its facts.
 */
export async function askPki(
  link: VaultLink,
  { path, capability }: PkiPath,
  more: { readonly body?: { readonly [key: string]: Json }; readonly repeatable?: boolean } = {},
): Promise<PkiAnswer> {
  try {
    const answer = await link.client.ask({ method: METHODS[capability], path, ...more });
    return read(answer);
  } catch (error) {
    throw await explained(error, link, { path, capability });
  }
}

const METHODS = { update: 'POST', read: 'GET', list: 'LIST' } as const;

function read({ status, octets }: VaultAnswer): PkiAnswer {
  const body = answerObject(octets);
  if (status === 400) return { data: null, refusal: (textsAt(body, 'errors') ?? []).join(' ').slice(0, 1000) };
  return { data: objectAt(body, 'data'), refusal: null };
}

/** The connection's own words, but for what it says of key stores. */
async function explained(error: unknown, link: VaultLink, needed: PkiPath): Promise<unknown> {
  if (!(error instanceof KeyturnError) || error.code !== 'keystore_unavailable') return error;
  const { certain = false, ...facts } = error.facts;
  // Whatever becomes of a look, nothing is issued or revoked by it.
  const more = { certain: certain === true || needed.capability !== 'update', facts };
  switch (reasonOf(error)) {
    case 'forbidden':
      return issuerUnavailable(await denial(link, needed), { ...more, fix: grant(needed) });
    case 'no_mount':
      return issuerUnavailable(`Vault has no PKI engine for ${needed.path}.`, {
        ...more,
        fix: 'Check mount and namespace, or run: bao secrets enable pki',
      });
    default:
      return issuerUnavailable(error.message, { ...more, ...(error.fix === undefined ? {} : { fix: error.fix }) });
  }
}

async function denial({ client, login }: VaultLink, needed: PkiPath): Promise<string> {
  const missing = await missingPrivileges(client, [needed]);
  const wanted = `"${needed.capability}" on ${needed.path}`;
  if (missing === null) return `Vault does not accept the ${login}, or its policy lacks ${wanted}.`;
  if (missing.length > 0) return `Vault denied ${needed.path}: the policy does not grant ${wanted}.`;
  return `Vault denied ${needed.path} although its policy grants ${wanted}.`;
}

function grant({ path, capability }: PkiPath): string {
  return `Add to the policy: path "${path}" { capabilities = ["${capability}"] }; or apply policies/vault/keyturn-issuer.hcl.`;
}
