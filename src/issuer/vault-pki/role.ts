import type { JsonObject } from '../../keystore/vault/client/answer.ts';
import { textsAt } from '../../keystore/vault/client/answer.ts';

interface Rule {
  /** As the command writes it that puts it right. */
  readonly wanted: string;
  readonly holds: (role: JsonObject) => boolean;
}

/**
 * What a role must say, so that it issues what was asked for and nothing beyond, and that it can be found and revoked
 * (openbao.org/api-docs/secret/pki, "Create/update role"). Absent members of other versions count as their default.
 */
const RULES: readonly Rule[] = [
  { wanted: 'client_flag=true', holds: (role) => role['client_flag'] !== false },
  { wanted: 'server_flag=false', holds: (role) => role['server_flag'] === false },
  { wanted: 'code_signing_flag=false', holds: (role) => role['code_signing_flag'] !== true },
  { wanted: 'email_protection_flag=false', holds: (role) => role['email_protection_flag'] !== true },
  { wanted: 'ext_key_usage=', holds: (role) => (textsAt(role, 'ext_key_usage') ?? []).length === 0 },
  { wanted: 'ext_key_usage_oids=', holds: (role) => (textsAt(role, 'ext_key_usage_oids') ?? []).length === 0 },
  {
    wanted: 'key_usage=DigitalSignature',
    holds: (role) => (textsAt(role, 'key_usage') ?? []).some((usage) => /digitalsignature$/i.test(usage)),
  },
  { wanted: 'use_csr_common_name=true', holds: (role) => role['use_csr_common_name'] !== false },
  { wanted: 'use_csr_sans=true', holds: (role) => role['use_csr_sans'] !== false },
  { wanted: 'no_store=false', holds: (role) => role['no_store'] !== true },
];

/** What has to be changed at the role, as arguments of `bao patch`; empty when it will do. */
export function faultsOfRole(role: JsonObject): string[] {
  return RULES.filter(({ holds }) => !holds(role)).map(({ wanted }) => wanted);
}
