import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { issuerAdapters } from '../../../src/issuer/registry.ts';
import type { VaultPkiOptions } from '../../../src/issuer/vault-pki/options.ts';
import { callBao } from '../../fakes/openbao/api.ts';
import { OpenBao } from '../../fakes/openbao.ts';
import type { IssuerHarness, IssuerPlace } from './issuer.ts';

export const ISSUER_POLICY = readFileSync(
  fileURLToPath(new URL('../../../policies/vault/keyturn-issuer.hcl', import.meta.url)),
  'utf8',
);

/** The role that docs/design/issuers.md shows. */
export const ROLE = {
  allowed_domains: ['acme.example'],
  allow_subdomains: true,
  allow_bare_domains: true,
  allowed_uri_sans: ['spiffe://acme.example/*'],
  allow_ip_sans: false,
  allow_localhost: false,
  allow_wildcard_certificates: false,
  client_flag: true,
  server_flag: false,
  key_usage: ['DigitalSignature'],
  key_type: 'any',
  max_ttl: '2160h',
} as const;

/** A PKI engine of its own, with root and role, reached by a token that holds a policy and nothing else. */
export async function makePki(
  server: OpenBao,
  { role = {}, policy = ISSUER_POLICY }: { readonly role?: object; readonly policy?: string } = {},
): Promise<{ readonly mount: string; readonly options: VaultPkiOptions }> {
  const mount = `pki-${randomUUID()}`;
  await server.root({ path: `sys/mounts/${mount}`, body: { type: 'pki', config: { max_lease_ttl: '87600h' } } });
  const root = { common_name: 'Acme root', ttl: '80000h', key_type: 'ec', key_bits: 256 };
  await server.root({ path: `${mount}/root/generate/internal`, body: root });
  await server.root({ path: `${mount}/roles/keyturn`, body: { ...ROLE, ...role } });
  await server.policy(mount, policy.replaceAll('"pki/', `"${mount}/`));
  const environment = {
    BAO_ADDR: server.url,
    BAO_CACERT_BYTES: server.ca.certificatePem,
    BAO_TOKEN: await server.token([mount]),
  };
  return { mount, options: { mount, environment } };
}

let server: OpenBao | null = null;

async function start(): Promise<AsyncDisposable> {
  server = await OpenBao.start();
  return server;
}

async function makePkiPlace(): Promise<IssuerPlace> {
  if (server === null) throw new Error('OpenBao was not started.');
  const { url, ca } = server;
  const { mount, options } = await makePki(server);
  const driver = await issuerAdapters['vault-pki'](options);
  // Anybody may read them.
  const text = async (path: string) => (await callBao(url, ca.certificatePem, { path })).body;
  return {
    driver,
    list: async () => ({ crl: await text(`${mount}/crl/pem`), authority: await text(`${mount}/ca/pem`) }),
    reopen: () => issuerAdapters['vault-pki'](options),
    remove: () => driver.close(),
  };
}

export const vaultPkiHarness: IssuerHarness = { start, makePlace: makePkiPlace, exceptions: {} };
