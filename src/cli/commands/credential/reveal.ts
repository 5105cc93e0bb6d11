import { type Receipt, verifyReceipt } from '../../../audit/receipt.ts';
import { pemOctets } from '../../../core/encoding/pem.ts';
import { KeyturnError } from '../../../core/errors.ts';
import { AnswerOpener } from '../../../sealed/answer.ts';
import type { SealedAnswer } from '../../../sealed/envelope.ts';
import type { Api } from '../../api/api.ts';
import type { Context } from '../../context.ts';
import { NewFile } from '../../terminal/new-file.ts';

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
  readonly receipt: Receipt;
}

type Revealed = Pick<Answer, 'version' | 'spki'> & { readonly pem: Buffer };

/** The file is made first: when it can't be, no key leaves the server and nothing is recorded. */
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
  if (out === '-' && terminal.json) {
    throw new KeyturnError('invalid_input', 'A key is no JSON document.', { fix: 'Give --out FILE with --json.' });
  }
  const open = await api();
  await using file = out === '-' ? null : await NewFile.make(out, 0o600);
  const { pem, spki, version: number } = await fetchKey(open, { credential, version, reason });
  try {
    if (file === null) await printed(pem);
    else await file.keep(pem);
  } finally {
    pem.fill(0);
  }
  const done = `Wrote the private key of ${credential} version ${number} to ${out} (mode 0600).`;
  terminal.result({ credential, version: number, spki, out }, out === '-' ? [] : [done]);
  terminal.note('This copy ends with no lease. Destroy it when it has served; the reveal is on the audit log.');
}

async function fetchKey(
  api: Api,
  wanted: { readonly credential: string; readonly version: string; readonly reason: string },
): Promise<Revealed> {
  const opener = AnswerOpener.generate();
  const path = `/v1/credentials/${encodeURIComponent(wanted.credential)}/versions/${encodeURIComponent(wanted.version)}/reveal`;
  const json = { reason: wanted.reason, hpkePublicKey: opener.publicKey };
  const answer = (await api.call({ method: 'POST', path, json })) as Answer;
  const { request, credential, version, spki, expiresAt } = answer;
  if (credential !== wanted.credential || version !== Number(wanted.version)) {
    throw new KeyturnError('sealed_answer_invalid', 'The answer is about another version than was asked for.');
  }
  refuseUnrecorded(api, answer, opener);
  const secrets = opener.open(answer.sealed, { lease: request, credential, version, spki, expiresAt });
  try {
    const key = secrets.get('key');
    if (key === undefined) throw new KeyturnError('sealed_answer_invalid', 'The sealed answer holds no key.');
    return { version, spki, pem: pemOctets('PRIVATE KEY', key.bytes) };
  } finally {
    for (const secret of secrets.values()) secret.dispose();
  }
}

/** A key of whose reveal no entry is shown is not written. @throws KeyturnError `receipt_invalid`. */
function refuseUnrecorded(
  api: Api,
  { receipt, request, credential, version, spki }: Answer,
  opener: AnswerOpener,
): void {
  const { entry } = verifyReceipt(receipt, api.connection.log, null);
  const isOurs = entry.kind === 'key.revealed' && entry.request === request;
  const isOfKey = entry.credential === credential && entry.version === version && entry.data['spki'] === spki;
  if (isOurs && isOfKey && entry.data['client'] === opener.recipient) return;
  throw new KeyturnError('receipt_invalid', 'The receipt proves another access than this reveal.', {
    fix: 'Treat the server, or what stands before it, as compromised until this is explained.',
  });
}

/** Resolves when the octets are handed over, so that they can be wiped. */
function printed(octets: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(octets, (error) => (error ? reject(error) : resolve()));
  });
}
