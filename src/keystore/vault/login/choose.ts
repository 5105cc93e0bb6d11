import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { KeyturnError } from '../../../core/errors.ts';
import type { VaultLogin } from '../options.ts';
import { type Environment, variable } from '../settings/environment.ts';
import { appRoleLogin } from './app-role.ts';
import { certificateLogin } from './certificate.ts';
import type { LoginMethod } from './method.ts';
import { jwtLogin, kubernetesLogin, SERVICE_ACCOUNT_TOKEN } from './projected.ts';
import { tokenFileLogin, tokenLogin } from './token.ts';

/**
 * The configured login; without one `BAO_TOKEN`, `VAULT_TOKEN`, then `~/.vault-token`. What is configured wins over
 * the environment, so that a token somebody forgot in a shell changes nothing.
 * @param server its address and namespace.
 * @throws KeyturnError `config_invalid` when there is no way to log in.
 */
export function chooseLogin(login: VaultLogin | undefined, environment: Environment, server: string): LoginMethod {
  if (login !== undefined) return configuredLogin(login, server);
  const token = variable(environment, 'TOKEN');
  if (token !== null) return tokenLogin(token.value, token.source);
  const file = join(environment['HOME'] ?? homedir(), '.vault-token');
  if (existsSync(file)) return tokenFileLogin(file);
  throw new KeyturnError('config_invalid', 'There is no way to log in to Vault.', {
    fix: 'Configure login, or set BAO_TOKEN or VAULT_TOKEN, or run: bao login',
  });
}

function configuredLogin(login: VaultLogin, server: string): LoginMethod {
  checkSegments(login);
  switch (login.method) {
    case 'token_file':
      return tokenFileLogin(login.file);
    case 'approle':
      return appRoleLogin(login, server);
    case 'kubernetes':
      return kubernetesLogin({ ...login, tokenFile: login.tokenFile ?? SERVICE_ACCOUNT_TOKEN });
    case 'jwt':
      return jwtLogin(login);
    case 'certificate':
      return certificateLogin(login);
  }
}

function checkSegments(login: VaultLogin): void {
  if (!('mount' in login) || login.mount === undefined) return;
  if (/^[A-Za-z0-9_-][A-Za-z0-9._-]*(?:\/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$/.test(login.mount)) return;
  throw new KeyturnError('config_invalid', 'login.mount is not the path of a login method.', {
    fix: 'Write it as it stands in "bao auth list", without auth/ and slashes at its ends.',
  });
}
