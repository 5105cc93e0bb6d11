import { chmod, lstat, mkdir, rm } from 'node:fs/promises';
import type { Server } from 'node:http';
import { createConnection } from 'node:net';
import { dirname } from 'node:path';
import { KeyturnError } from '../core/errors.ts';
import { newId } from '../core/ids.ts';
import { http } from '../core/io/http.ts';
import { codeOf } from '../core/io/node-code.ts';
import { whyFile } from '../core/io/why-file.ts';
import type { Desk } from '../credential/desk.ts';
import { freeze, LOCAL_OPERATOR } from '../credential/hold/freeze.ts';
import type { HoldJournal } from '../credential/hold/hold-journal.ts';
import { problemOf } from './http/problem.ts';
import { readBody } from './http/read-body.ts';
import { freezeOf, freezeRequest } from './schemas.ts';

/**
 * The host-local way to freeze: HTTP on a Unix socket of mode 0600, so that whoever can run as this user can stop a
 * key without a token, a network or a healthy ledger. It can do nothing else.
 * @throws KeyturnError `config_invalid` when the socket can't be made or another process listens on it.
 */
export async function openLocalSocket(path: string, desk: Desk, journal: HoldJournal): Promise<Server> {
  // A copy of the instance's folder comes without it, and /run is empty after each boot.
  await makeFolder(path);
  await removeStale(path);
  const server = http.createServer(async (request, response) => {
    const id = newId('request');
    const answer = (status: number, body: unknown) => {
      const type = status < 400 ? 'application/json' : 'application/problem+json';
      response.writeHead(status, { 'content-type': type, connection: 'close' });
      response.end(JSON.stringify(body));
    };
    try {
      if (request.method !== 'POST' || request.url !== '/v1/holds') {
        throw new KeyturnError('not_found', 'This socket takes POST /v1/holds alone.', {
          fix: 'Use the network for the rest.',
        });
      }
      const { json } = await readBody(request, { kind: 'json', schema: freezeRequest });
      const parsed = freezeRequest.safeParse(json);
      if (!parsed.success)
        throw new KeyturnError('invalid_input', 'That is not a freeze.', { fix: 'See keyturn freeze --help.' });
      answer(201, await freeze(desk, journal, LOCAL_OPERATOR, freezeOf(parsed.data)));
    } catch (error) {
      const problem = problemOf(error, id);
      answer(problem.status, problem);
    }
  });
  server.requestTimeout = 5_000;
  server.maxConnections = 16;
  await listen(server, path);
  return server;
}

/**
 * Makes the socket anew where its file is gone, since then nobody on this host could freeze without the network; true if it
 * was. Called now and then. What stands in its place is left alone.
 * @throws KeyturnError `config_invalid` when it can't be made.
 */
export async function keepLocalSocket(server: Server, path: string): Promise<boolean> {
  const found = await lstat(path).catch(codeOf);
  if (found !== 'ENOENT' || !server.listening) return false;
  await makeFolder(path);
  // Connections that there are go on.
  server.close();
  await listen(server, path);
  return true;
}

async function makeFolder(path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 }).catch((error: unknown) => {
    throw notMade(path, error);
  });
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const mask = process.umask(0o177);
    const failed = (error: Error) => reject(notMade(path, error));
    server.once('error', failed);
    server.listen(path, () => {
      server.off('error', failed);
      chmod(path, 0o600).then(resolve, reject);
    });
    process.umask(mask);
  });
}

function notMade(path: string, error: unknown): KeyturnError {
  return new KeyturnError('config_invalid', `The socket ${path} can't be made${whyFile(error)}.`, {
    fix: 'Its folder must belong to this user, or let it make it: socket.path in keyturn.yaml, of at most 107 bytes.',
  });
}

/** A socket that nobody listens on is left over from a crash; one that answers belongs to another process. */
async function removeStale(path: string): Promise<void> {
  const alive = await new Promise<boolean>((resolve) => {
    const probe = createConnection(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', () => resolve(false));
  });
  if (alive) {
    throw new KeyturnError('config_invalid', `Another process listens on ${path}.`, {
      fix: 'Stop that server first, or give this one a home of its own.',
    });
  }
  await rm(path, { force: true });
}
