import { access } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { join } from 'node:path';
import { type Connection, readConnection } from '../../client/connection-file.ts';
import { isKeyturnError, KeyturnError } from '../../core/errors.ts';
import type { SecretBytes } from '../../core/secret-bytes.ts';
import { parseAnswer, readText, refuseProblem, unreachable } from './answer.ts';
import { readTokenFile } from './token-file.ts';

/** How a command finds its server and its token: flags, then the environment, then the home folder's own. */
export interface Whereabouts {
  readonly home: string;
  readonly connection?: string;
  readonly tokenFile?: string;
}

export interface Call {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly path: string;
  readonly json?: unknown;
  readonly octets?: SecretBytes;
  readonly form?: { readonly type: string; readonly body: Buffer };
  /** How long nothing may come, milliseconds; default 30 s. */
  readonly timeoutMs?: number;
  /** A status over 399 whose body is an answer and no problem. */
  readonly accepted?: number;
}

/** What came of a call to one server. */
export type Told =
  | { readonly server: string; readonly answer: unknown }
  | { readonly server: string; readonly error: KeyturnError };

/** Time for one call, milliseconds. */
const TIMEOUT_MS = 30_000;

/** The CLI's way to a server: pinned CA, token from a file, problem documents turned back into errors. */
export class Api {
  readonly connection: Connection;
  readonly #token: Buffer;
  readonly #agent: Agent;

  private constructor(connection: Connection, token: Buffer) {
    this.connection = connection;
    this.#token = token;
    this.#agent = new Agent({ ca: connection.ca, keepAlive: true, maxCachedSessions: 0, minVersion: 'TLSv1.2' });
  }

  /** @throws KeyturnError `connection_file_invalid`, `unauthenticated` when there is no token file. */
  static async open(where: Whereabouts): Promise<Api> {
    const { connectionPath, tokenPath } = pathsOf(where);
    const connection = await connectionAt(connectionPath, where);
    return new Api(connection, await readTokenFile(tokenPath));
  }

  /** The answer's JSON; null for an empty answer. */
  async call(call: Call): Promise<unknown> {
    return parseAnswer(await this.text(call));
  }

  async text(call: Call): Promise<string> {
    return readText(await this.stream(call));
  }

  /** Tries each server of the connection file; the first that answers counts. */
  async stream(call: Call): Promise<IncomingMessage> {
    refuseForeignLetters(call.path);
    let last: unknown;
    for (const server of this.connection.servers) {
      try {
        return await this.#callServer(server.origin, call);
      } catch (error) {
        if (!isKeyturnError(error, 'server_unreachable')) throw error;
        last = error;
      }
    }
    throw last;
  }

  /** Tells every server of the connection file at once, and says of each what came of it. */
  everyServer(call: Call): Promise<Told[]> {
    return Promise.all(
      this.connection.servers.map(async ({ origin: server }): Promise<Told> => {
        try {
          return { server, answer: parseAnswer(await readText(await this.#callServer(server, call))) };
        } catch (error) {
          if (isKeyturnError(error)) return { server, error };
          throw error;
        }
      }),
    );
  }

  async #callServer(server: string, call: Call): Promise<IncomingMessage> {
    const body = bodyOf(call);
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const outgoing = request(new URL(call.path, server), {
        method: call.method,
        agent: this.#agent,
        timeout: call.timeoutMs ?? TIMEOUT_MS,
        headers: { ...body.headers, authorization: `Bearer ${this.#token.toString('latin1')}` },
      });
      outgoing.on('response', resolve);
      outgoing.on('timeout', () => outgoing.destroy(Object.assign(new Error('timeout'), { code: 'ETIMEDOUT' })));
      outgoing.on('error', (error: NodeJS.ErrnoException) => reject(unreachable(server, error)));
      outgoing.end(body.bytes);
    });
    return refuseProblem(response, call.accepted);
  }

  close(): void {
    this.#agent.destroy();
    this.#token.fill(0);
  }
}

/** Where a command looks for its connection file and token file. */
export function pathsOf({ home, connection, tokenFile }: Whereabouts): { connectionPath: string; tokenPath: string } {
  return {
    connectionPath: connection ?? process.env['KEYTURN_CONNECTION'] ?? join(home, 'admin', 'connection.json'),
    tokenPath: tokenFile ?? process.env['KEYTURN_TOKEN_FILE'] ?? join(home, 'admin', 'token'),
  };
}

function bodyOf({ json, octets, form }: Call): { headers: Record<string, string | number>; bytes: Buffer } {
  if (json !== undefined) return withLength('application/json', Buffer.from(JSON.stringify(json)));
  if (octets !== undefined) return withLength('application/octet-stream', octets.bytes);
  if (form !== undefined) return withLength(form.type, form.body);
  return { headers: {}, bytes: Buffer.alloc(0) };
}

function withLength(type: string, bytes: Buffer) {
  return { headers: { 'content-type': type, 'content-length': bytes.length }, bytes };
}

/** Names of ours are ASCII: the server would speak of the path of a request, which nobody has typed. */
function refuseForeignLetters(path: string): void {
  const [name = ''] = path.split('?', 1);
  if (!/%[89a-f]/i.test(name)) return;
  throw new KeyturnError(
    'invalid_input',
    `No name has such letters: ${decodeURIComponent(name.split('/')[3] ?? name)}`,
    {
      fix: 'Write lower-case letters from a to z, digits, dots, hyphens and underscores, e.g. lean/sandbox.',
    },
  );
}

/** A folder or file that nobody named is what is missing most often; what a library's caller would do is of no use then. */
async function connectionAt(path: string, { home, connection }: Whereabouts): Promise<Connection> {
  try {
    return await readConnection(path);
  } catch (error) {
    if (connection !== undefined || !(await isMissing(path))) throw error;
    throw new KeyturnError('connection_file_invalid', `There is no connection file ${path}.`, {
      fix:
        `Name the folder of the instance with --home (KEYTURN_HOME; now ${home}), or a connection file with --connection ` +
        'and your token with --token-file. To make an instance: keyturn init.',
      cause: error,
    });
  }
}

async function isMissing(path: string): Promise<boolean> {
  try {
    await access(path);
    return false;
  } catch {
    return true;
  }
}
