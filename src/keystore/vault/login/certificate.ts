import { loginAt } from './grant.ts';
import type { LoginMethod } from './method.ts';

export interface CertificateOptions {
  /** Under `auth/`. Default: `cert`. */
  readonly mount?: string;
  /** Role to log in as; without it the server looks for one that fits. */
  readonly role?: string;
}

/** The TLS client certificate of the connection itself, read anew from its files before each login. */
export function certificateLogin({ mount = 'cert', role }: CertificateOptions): LoginMethod {
  const description = `certificate at auth/${mount}`;
  const fix = `Compare CA, names and policies with those of bao read auth/${mount}/certs/${role ?? 'ROLE'}`;
  return {
    description,
    fix,
    repeatable: true,
    renews: true,
    login: async (client) => {
      client.renewIdentity();
      return loginAt(client, mount, role === undefined ? {} : { name: role }, { description, fix });
    },
  };
}
