import { folderWith, run } from '../../fakes/programs.ts';

export interface Judged {
  /** PEM of the client's certificate. */
  readonly certificate: string;
  /** PEM of who is trusted to have issued it. */
  readonly trust: string;
  /** PEM; without it revocation is not looked at. */
  readonly crl?: string;
}

/** Whether `openssl verify` takes it as a TLS client's, X.509 rules applied strictly. */
export async function isAcceptedClient({ certificate, trust, crl }: Judged): Promise<boolean> {
  await using folder = await folderWith({ 'leaf.pem': certificate, 'trust.pem': trust, 'list.pem': crl ?? '' });
  const checked = crl === undefined ? [] : ['-crl_check', '-CRLfile', folder.path('list.pem')];
  const purpose = ['-purpose', 'sslclient', '-x509_strict', '-partial_chain'];
  const args = ['verify', ...purpose, '-CAfile', folder.path('trust.pem'), ...checked, folder.path('leaf.pem')];
  const { exitCode, stderr, stdout } = await run('openssl', args);
  if (exitCode === 0) return true;
  if (/error \d+ at/.test(stderr + stdout)) return false;
  throw new Error(`openssl verify failed otherwise: ${stderr}`);
}

/** A request that OpenSSL makes, DER; the key is thrown away. @param options of `openssl req`, without spaces within. */
export async function foreignRequest(options: string): Promise<Buffer> {
  const args = `req -new -nodes -keyout /dev/null ${options}`.split(' ');
  const { exitCode, stdout, stderr } = await run('openssl', args);
  if (exitCode !== 0) throw new Error(stderr);
  return Buffer.from(stdout.replace(/-----[^-]+-----|\s/g, ''), 'base64');
}
