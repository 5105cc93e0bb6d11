import type { IncomingMessage } from 'node:http';
import { KeyturnError } from '../../core/errors.ts';
import { http } from '../../core/io/http.ts';
import { parseAnswer, readText, refuseProblem } from './answer.ts';

/** A freeze answers at once, or is stuck for good. */
const TIMEOUT_MS = 10_000;

/**
 * Posts JSON over the host-local socket of a server.
 * @throws KeyturnError `server_unreachable`, or what the server refuses with.
 */
export async function postToSocket(socketPath: string, path: string, json: unknown): Promise<unknown> {
  const body = Buffer.from(JSON.stringify(json));
  const headers = { 'content-type': 'application/json', 'content-length': body.length };
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const outgoing = http.request({ socketPath, path, method: 'POST', headers, timeout: TIMEOUT_MS });
    outgoing.on('response', resolve);
    outgoing.on('timeout', () => outgoing.destroy(Object.assign(new Error('timeout'), { code: 'ETIMEDOUT' })));
    outgoing.on('error', (error: NodeJS.ErrnoException) => reject(notListening(socketPath, error)));
    outgoing.end(body);
  });
  return parseAnswer(await readText(await refuseProblem(response)));
}

function notListening(path: string, error: NodeJS.ErrnoException): KeyturnError {
  const why = error.code ?? error.name;
  return new KeyturnError('server_unreachable', `No server answers on the socket ${path} (${why}).`, {
    fix:
      why === 'EACCES'
        ? 'Run this as the user that runs the server.'
        : 'Name the right --home, or the socket itself with --socket PATH. A server that is stopped releases nothing.',
  });
}
