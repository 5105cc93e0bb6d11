import { z } from 'zod';
import type { VaultConnection, VaultLogin, VaultStoreOptions } from '../../keystore/vault/options.ts';
import { adoptFrom } from './adopt-from.ts';
import { given } from './given.ts';
import { type AbsolutePath, path } from './path.ts';

const name = z.string().min(1).max(200);
const milliseconds = z.int().min(1).max(600_000);

const login = z.discriminatedUnion('method', [
  z.strictObject({ method: z.literal('token-file'), file: path }),
  z.strictObject({
    method: z.literal('approle'),
    mount: name.optional(),
    'role-id': name,
    'secret-id-file': path,
    wrapped: z.boolean().optional(),
  }),
  z.strictObject({
    method: z.literal('kubernetes'),
    mount: name.optional(),
    role: name,
    'token-file': path.optional(),
  }),
  z.strictObject({ method: z.literal('jwt'), mount: name.optional(), role: name, 'token-file': path }),
  z.strictObject({ method: z.literal('certificate'), mount: name.optional(), role: name.optional() }),
]);

const tls = z.strictObject({
  ca: path.optional(),
  'ca-folder': path.optional(),
  certificate: path.optional(),
  key: path.optional(),
  'server-name': name.optional(),
  'allow-skip-verify': z.boolean().optional(),
});

/** Members by which one Vault is reached; what is absent comes from `BAO_…` and `VAULT_…`. No secret among them. */
export const vaultConnection = {
  address: z.url({ protocol: /^https?$/ }).optional(),
  namespace: name.optional(),
  tls: tls.optional(),
  login: login.optional(),
  'timeout-ms': milliseconds.optional(),
  'max-retries': z.int().min(0).max(10).optional(),
  'follow-to': z.array(z.url({ protocol: /^https?$/ })).optional(),
  'break-ms': milliseconds.optional(),
};

export const vaultStore = z.strictObject({
  kind: z.literal('vault'),
  ...vaultConnection,
  mount: name.optional(),
  prefix: name.optional(),
  'adopt-from': adoptFrom.optional(),
});

const connection = z.object(vaultConnection);

export function vaultConnectionOptions(setting: z.infer<typeof connection>, at: AbsolutePath): VaultConnection {
  return given({
    address: setting.address,
    namespace: setting.namespace,
    tls: setting.tls === undefined ? undefined : tlsOptions(setting.tls, at),
    login: setting.login === undefined ? undefined : loginOptions(setting.login, at),
    timeoutMs: setting['timeout-ms'],
    maxRetries: setting['max-retries'],
    followTo: setting['follow-to'],
    breakMs: setting['break-ms'],
  });
}

export function vaultStoreOptions(setting: z.infer<typeof vaultStore>, at: AbsolutePath): VaultStoreOptions {
  return { ...vaultConnectionOptions(setting, at), ...given({ mount: setting.mount, prefix: setting.prefix }) };
}

function tlsOptions(setting: z.infer<typeof tls>, at: AbsolutePath) {
  const optional = (file: string | undefined) => (file === undefined ? undefined : at(file));
  return given({
    caFile: optional(setting.ca),
    caFolder: optional(setting['ca-folder']),
    clientCertificateFile: optional(setting.certificate),
    clientKeyFile: optional(setting.key),
    serverName: setting['server-name'],
    allowSkipVerify: setting['allow-skip-verify'],
  });
}

function loginOptions(setting: z.infer<typeof login>, at: AbsolutePath): VaultLogin {
  const { method } = setting;
  if (method === 'token-file') return { method: 'token_file', file: at(setting.file) };
  if (method === 'certificate') return { method, ...given({ mount: setting.mount, role: setting.role }) };
  const mount = given({ mount: setting.mount });
  if (method === 'approle') {
    const secretIdFile = at(setting['secret-id-file']);
    return { method, ...mount, roleId: setting['role-id'], secretIdFile, ...given({ wrapped: setting.wrapped }) };
  }
  if (method === 'jwt') return { method, ...mount, role: setting.role, tokenFile: at(setting['token-file']) };
  const tokenFile = setting['token-file'] === undefined ? undefined : at(setting['token-file']);
  return { method, ...mount, role: setting.role, ...given({ tokenFile }) };
}
