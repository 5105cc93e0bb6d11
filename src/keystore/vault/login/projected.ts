import { loginAt } from './grant.ts';
import type { LoginMethod } from './method.ts';
import { readSecretLine } from './secret-file.ts';

/** Where the kubelet projects a service account's token by default. */
export const SERVICE_ACCOUNT_TOKEN = '/var/run/secrets/kubernetes.io/serviceaccount/token';

export interface ProjectedOptions {
  /** Under `auth/`. Default: `kubernetes` and `jwt`. */
  readonly mount?: string;
  readonly role: string;
  /** Read anew at each login: it is replaced before it expires. */
  readonly tokenFile: string;
}

/** A Kubernetes service account's token, which the server has the cluster review. */
export function kubernetesLogin({ mount = 'kubernetes', role, tokenFile }: ProjectedOptions): LoginMethod {
  return projectedLogin('kubernetes', mount, role, tokenFile);
}

/** A signed token (OIDC, SPIFFE, Kubernetes without a review), which the server checks against known keys. */
export function jwtLogin({ mount = 'jwt', role, tokenFile }: ProjectedOptions): LoginMethod {
  return projectedLogin('jwt', mount, role, tokenFile);
}

function projectedLogin(kind: string, mount: string, role: string, tokenFile: string): LoginMethod {
  const description = `${kind} at auth/${mount} as ${role}`;
  const fix = `Compare audience, subject and policies with those of bao read auth/${mount}/role/${role}`;
  return {
    description,
    fix,
    repeatable: true,
    renews: true,
    login: async (client) => {
      const jwt = await readSecretLine(tokenFile, 'a signed token');
      return loginAt(client, mount, { role, jwt }, { description, fix });
    },
  };
}
