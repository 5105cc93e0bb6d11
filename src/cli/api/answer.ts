import type { IncomingMessage } from 'node:http';
import { type ErrorCode, KeyturnError } from '../../core/errors.ts';

/**
 * The answer, unless it is an error. `accepted` is a status over 399 that is an answer all the same.
 * @throws the KeyturnError that a problem document stands for.
 */
export async function refuseProblem(response: IncomingMessage, accepted?: number): Promise<IncomingMessage> {
  const status = response.statusCode ?? 0;
  if (status < 400 || status === accepted) return response;
  throw problemError(status, await readText(response));
}

/** The whole body. @throws KeyturnError `server_unreachable` when it breaks off. */
export async function readText(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of response) chunks.push(chunk as Buffer);
  } catch {
    throw brokenOff();
  }
  return Buffer.concat(chunks).toString('utf8');
}

export function brokenOff(): KeyturnError {
  return new KeyturnError('server_unreachable', 'The answer broke off.', {
    fix: 'Look whether what you asked for has happened, then try again.',
  });
}

/** Null for an empty text. @throws KeyturnError `server_unreachable` for what is not JSON. */
export function parseAnswer(text: string): unknown {
  if (text.trim() === '') return null;
  try {
    return JSON.parse(text);
  } catch {
    throw foreign('without JSON');
  }
}

function problemError(status: number, text: string): KeyturnError {
  const { code, detail, fix, request: id } = membersOf(text);
  if (typeof code !== 'string' || typeof detail !== 'string') return foreign(`with HTTP ${status}`);
  // Codes of a newer server are passed on as they are; programs that do not know them see the exit code of a failure.
  const told = typeof id === 'string' ? detail.replace('under this request id', `under ${id}`) : detail;
  return new KeyturnError(code as ErrorCode, told, {
    ...(typeof fix === 'string' ? { fix: fixAtTerminal(fix) } : {}),
    facts: { status, ...(typeof id === 'string' ? { request: id } : {}) },
  });
}

/** Whoever sits at a terminal writes no headers and reads no description of the API. */
function fixAtTerminal(fix: string): string {
  return fix
    .replace('See /openapi.json for what this operation takes.', 'See the command with --help.')
    .replace(
      'Send "authorization: Bearer TOKEN"; for a new one:',
      'Is it the right file (--token-file, KEYTURN_TOKEN_FILE)? For a new token:',
    );
}

function membersOf(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}

function foreign(how: string): KeyturnError {
  return new KeyturnError('server_unreachable', `Something that is not Keyturn answered ${how}.`, {
    fix: 'Check the server address in the connection file.',
  });
}

/** Why no server of the network answers, or not one that can be trusted. */
export function unreachable(server: string, error: NodeJS.ErrnoException): KeyturnError {
  const tls = /CERT|SELF_SIGNED|VERIFY|ALTNAME/.test(error.code ?? '');
  if (tls) {
    return new KeyturnError(
      'server_untrusted',
      `${server} does not show a certificate of the pinned CA (${error.code}).`,
      { fix: 'Get a new connection file from the instance; do not go on if you did not expect a change.' },
    );
  }
  return new KeyturnError('server_unreachable', `${server} does not answer (${error.code ?? error.name}).`, {
    fix: 'Is it running? keyturn server; is the address right? See the connection file.',
  });
}
