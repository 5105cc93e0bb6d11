import { open } from 'node:fs/promises';
import { KeyturnError } from '../../../core/errors.ts';
import { pemOctets } from '../../../core/pem.ts';
import { AnswerOpener } from '../../../sealed/answer.ts';
import type { SealedAnswer } from '../../../sealed/envelope.ts';
import type { Context } from '../../context.ts';

interface Options {
  readonly reason?: string;
  readonly out?: string;
}

interface Answer {
  readonly request: string;
  readonly credential: string;
  readonly version: number;
  readonly spki: string;
  readonly expiresAt: string;
  readonly sealed: SealedAnswer;
}

export default async function reveal(
  { terminal, api }: Context,
  options: Options,
  credential: string,
  version: string,
): Promise<void> {
  const { reason, out } = options;
  if (reason === undefined || out === undefined) {
    throw new KeyturnError('invalid_input', 'A reveal needs --reason and --out.', {
      fix: `keyturn reveal ${credential} ${version} --reason "why" --out key.pem (or - for standard output)`,
    });
  }
  const opener = AnswerOpener.generate();
  const path = `/v1/credentials/${encodeURIComponent(credential)}/versions/${encodeURIComponent(version)}/reveal`;
  const json = { reason, hpkePublicKey: opener.publicKey };
  const answer = (await (await api()).call({ method: 'POST', path, json })) as Answer;
  const { request, spki, expiresAt } = answer;
  const secrets = opener.open(answer.sealed, {
    lease: request,
    credential: answer.credential,
    version: answer.version,
    spki,
    expiresAt,
  });
  try {
    const key = secrets.get('key');
    if (key === undefined) throw new KeyturnError('sealed_answer_invalid', 'The sealed answer holds no key.');
    await writeKey(out, pemOctets('PRIVATE KEY', key.bytes));
  } finally {
    for (const secret of secrets.values()) secret.dispose();
  }
  terminal.result(
    { credential, version: answer.version, spki, out },
    out === '-' ? [] : [`Wrote the private key of ${credential} version ${version} to ${out} (mode 0600).`],
  );
  terminal.note('This copy ends with no lease. Destroy it when it has served; the reveal is on the audit log.');
}

async function writeKey(out: string, pem: Buffer): Promise<void> {
  try {
    if (out === '-') {
      process.stdout.write(Buffer.from(pem));
      return;
    }
    await using file = await open(out, 'wx', 0o600);
    await file.writeFile(pem);
    await file.sync();
  } catch {
    throw new KeyturnError('conflict', `${out} can't be made; it may exist already.`, { fix: 'Choose another --out.' });
  } finally {
    pem.fill(0);
  }
}
