import { expect, test } from 'vitest';
import { signRevocationList } from '../../../src/issuer/local/revocation-list.ts';
import { signAuthority, signClient } from '../../../src/issuer/local/sign.ts';
import { REVOCATION_REASONS, type RevocationReason } from '../../../src/issuer/reason.ts';
import { NEW_KEYS, newPrivateKey } from '../../../src/x509/request/new-key.ts';
import { readRequest } from '../../../src/x509/request/read-request.ts';
import { makeRequest } from '../../../src/x509/request/request.ts';
import { folderWith, run } from '../../fakes/programs.ts';

const now = Date.now();
const { key } = await newPrivateKey('EC P-256');
const authority = await signAuthority(key, 'Acme clients', now);

/** What the linter finds, down to notices, in files of these contents. */
async function findings(program: string, options: readonly string[], ...files: string[]): Promise<string> {
  const named = Object.fromEntries(files.map((content, at) => [`${at}.pem`, content]));
  await using folder = await folderWith(named);
  const paths = Object.keys(named).map((name) => folder.path(name));
  const { stdout, stderr } = await run(program, ['lint', ...options, '-s', 'NOTICE', ...paths]);
  return (stdout + stderr).trim();
}

function list(number: number, revoked: Parameters<typeof signRevocationList>[1]): Promise<string> {
  return signRevocationList({ key, authority }, revoked, { number, now, seconds: 86_400 });
}

test('the authority’s certificate follows RFC 5280', async () => {
  expect(await findings('lint_pkix_cert', [], authority)).toBe('');
});

test.each(NEW_KEYS)('so does a client’s, for a key of the kind %s, also beside that of the authority', async (kind) => {
  const client = await newPrivateKey(kind);
  const subject = [
    { type: 'O', value: 'Acmé' },
    { type: 'CN', value: 'payments.acme.example' },
  ] as const;
  // The linter takes no URI of the scheme spiffe.
  const uris = ['https://acme.example/payments'];
  const request = await makeRequest(client, { subject, dns: ['payments.acme.example'], uris });
  const term = { now, seconds: 3600, listUrl: 'http://pki.acme.example/clients.crl' };
  const certificate = await signClient({ key, authority }, await readRequest(request.der), term);
  expect(await findings('lint_pkix_cert', [], certificate)).toBe('');
  expect(await findings('lint_pkix_signer_signee_cert_chain', [], authority, certificate)).toBe('');
});

test('so do revocation lists: empty, with every reason, and of any number', async () => {
  const reasons = Object.keys(REVOCATION_REASONS) as RevocationReason[];
  const revoked = reasons.map((reason, at) => ({ serial: `4a0${at}`, at: now, reason }));
  const options = ['-t', 'CRL', '-p', 'PKIX'];
  expect(await findings('lint_crl', options, await list(1, []))).toBe('');
  for (const number of [127, 128, 65_536, 2 ** 40]) {
    expect([number, await findings('lint_crl', options, await list(number, revoked))]).toEqual([number, '']);
  }
});
