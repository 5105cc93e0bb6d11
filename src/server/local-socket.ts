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
 */
export class LocalSocket {
  readonly server: Server;
  readonly #path: string;
  #left = false;
  #keeping: Promise<boolean> = Promise.resolve(false);

  private constructor(server: Server, path: string) {
    this.server = server;
    this.#path = path;
  }

  /** @throws KeyturnError `config_invalid` when the socket can't be made or another process listens on it. */
  static async open(path: string, desk: Desk, journal: HoldJournal): Promise<LocalSocket> {
    // A copy of the instance's folder comes without it, and /run is empty after each boot.
    await makeFolder(path);
    await removeStale(path);
    const server = freezing(desk, journal);
    await listen(server, path);
    return new LocalSocket(server, path);
  }

  /**
   * Makes the socket anew where its file is gone, since then nobody on this host could freeze without the network; true if it
   * was. Called now and then: what could not be made is tried again. What stands in its place is left alone.
   * @throws KeyturnError `config_invalid` when it can't be made.
   */
  keep(): Promise<boolean> {
    const kept = this.#keeping.catch(() => false).then(() => this.#remake());
    this.#keeping = kept;
    return kept;
  }

  /** It is not made anew any more. Resolves when nothing of that is under way. */
  async leave(): Promise<void> {
    this.#left = true;
    await this.#keeping.catch(() => false);
  }

  async #remake(): Promise<boolean> {
    const found = this.#left ? null : await lstat(this.#path).catch(codeOf);
    if (found !== 'ENOENT') return false;
    await makeFolder(this.#path);
    // Connections that there are go on.
    if (this.server.listening) this.server.close();
    await listen(this.server, this.#path);
    return true;
  }
}

function freezing(desk: Desk, journal: HoldJournal): Server {
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
  return server;
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
