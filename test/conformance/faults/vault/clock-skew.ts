import { createPublicKey } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { OpenBao } from '../../../fakes/openbao.ts';
import { signedToken } from '../../../keystore/vault/login/signed-token.ts';
import { armed, hurried, type VaultFault } from './place.ts';

/** Whoever signs our login tokens is an hour ahead of Vault. */
export function clockSkew(server: OpenBao): VaultFault {
  let folder = '';
  return armed(
    async () => {
      folder = await mkdtemp(join(tmpdir(), 'keyturn-skew-'));
      const { privateKey, keyPem } = await server.ca.issue({ key: 'ec-p256' });
      const publicPem = createPublicKey(privateKey).export({ format: 'pem', type: 'spki' });
      await server.root({ path: 'sys/auth/jwt', body: { type: 'jwt' } });
      await server.root({ path: 'auth/jwt/config', body: { jwt_validation_pubkeys: [publicPem] } });
      await server.root({
        path: 'auth/jwt/role/keyturn',
        body: { role_type: 'jwt', user_claim: 'sub', bound_audiences: ['vault'], token_policies: ['keyturn'] },
      });
      const ahead = Math.floor(Date.now() / 1000) + 3_600;
      const times = { iat: ahead, nbf: ahead, exp: ahead + 60 };
      const tokenFile = join(folder, 'jwt');
      await writeFile(tokenFile, signedToken(keyPem, { sub: 'me', aud: 'vault', ...times }), { mode: 0o600 });
      const { environment, ...options } = hurried(server, '');
      return {
        ...options,
        environment: { ...environment, BAO_TOKEN: undefined },
        login: { method: 'jwt', role: 'keyturn', tokenFile },
      };
    },
    { lift: () => rm(folder, { recursive: true }) },
  );
}
