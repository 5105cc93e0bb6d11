import { readFile, stat } from 'node:fs/promises';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { join } from 'node:path';
import { type Connection, readConnection } from '../../client/connection-file.ts';
import { type ErrorCode, KeyturnError } from '../../core/errors.ts';
import type { SecretBytes } from '../../core/secret-bytes.ts';

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
}

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
    const connection = await readConnection(connectionPath);
    return new Api(connection, await readToken(tokenPath));
  }

  /** The answer's JSON; null for an empty answer. */
  async call(call: Call): Promise<unknown> {
    const text = (await this.text(call)).trim();
    return text === '' ? null : (JSON.parse(text) as unknown);
  }

  async text(call: Call): Promise<string> {
    const chunks: Buffer[] = [];
    for await (const chunk of await this.stream(call)) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks).toString('utf8');
  }

  /** Tries each server of the connection file; the first that answers counts. */
  async stream(call: Call): Promise<IncomingMessage> {
    let last: unknown;
    for (const server of this.connection.servers) {
      try {
        return await this.callServer(server.href, call);
      } catch (error) {
        if (!(error instanceof KeyturnError) || error.code !== 'server_unreachable') throw error;
        last = error;
      }
    }
    throw last;
  }

  async callServer(server: string, call: Call): Promise<IncomingMessage> {
    const body = bodyOf(call);
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const outgoing = request(new URL(call.path, server), {
        method: call.method,
        agent: this.#agent,
        timeout: TIMEOUT_MS,
        headers: { ...body.headers, authorization: `Bearer ${this.#token.toString('latin1')}` },
      });
      outgoing.on('response', resolve);
      outgoing.on('timeout', () => outgoing.destroy(Object.assign(new Error('timeout'), { code: 'ETIMEDOUT' })));
      outgoing.on('error', (error: NodeJS.ErrnoException) => reject(unreachable(server, error)));
      outgoing.end(body.bytes);
    });
    return refuseProblem(response);
  }

  close(): void {
    this.#agent.destroy();
    this.#token.fill(0);
  }
}

/** One call over the host-local socket. */
export async function callSocket(socketPath: string, call: Call): Promise<unknown> {
  const body = bodyOf(call);
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const outgoing = httpRequest({
      socketPath,
      path: call.path,
      method: call.method,
      headers: body.headers,
      timeout: TIMEOUT_MS,
    });
    outgoing.on('response', resolve);
    outgoing.on('error', (error: NodeJS.ErrnoException) => reject(unreachable(socketPath, error)));
    outgoing.end(body.bytes);
  });
  const chunks: Buffer[] = [];
  for await (const chunk of await refuseProblem(response)) chunks.push(chunk as Buffer);
  return JSON.parse(Buffer.concat(chunks).toString('utf8')) as unknown;
}

function pathsOf({ home, connection, tokenFile }: Whereabouts): { connectionPath: string; tokenPath: string } {
  return {
    connectionPath: connection ?? process.env['KEYTURN_CONNECTION'] ?? join(home, 'admin', 'connection.json'),
    tokenPath: tokenFile ?? process.env['KEYTURN_TOKEN_FILE'] ?? join(home, 'admin', 'token'),
  };
}

async function readToken(path: string): Promise<Buffer> {
  try {
    const { mode } = await stat(path);
    if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
      throw new KeyturnError(
        'unauthenticated',
        `The token file ${path} is open to others (mode ${(mode & 0o777).toString(8)}).`,
        {
          fix: `Run chmod 600 ${path}; if others may have read it, have the token revoked.`,
        },
      );
    }
    const bytes = await readFile(path);
    return bytes.subarray(0, bytes.at(-1) === 0x0a ? bytes.length - 1 : bytes.length);
  } catch (error) {
    if (error instanceof KeyturnError) throw error;
    throw new KeyturnError('unauthenticated', `The token file ${path} can't be read.`, {
      fix: 'Name one with --token-file, or have a token made: keyturn token create.',
    });
  }
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

/** @throws the KeyturnError that a problem document stands for. */
async function refuseProblem(response: IncomingMessage): Promise<IncomingMessage> {
  const status = response.statusCode ?? 0;
  const type = response.headers['content-type'] ?? '';
  if (status < 400 || type.startsWith('application/json')) return response;
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  throw problemError(status, Buffer.concat(chunks).toString('utf8'));
}

function problemError(status: number, text: string): KeyturnError {
  try {
    const { code, detail, fix, request: id } = JSON.parse(text) as Record<string, unknown>;
    if (typeof code === 'string' && typeof detail === 'string') {
      return new KeyturnError(code as ErrorCode, detail, {
        ...(typeof fix === 'string' ? { fix } : {}),
        facts: { status, ...(typeof id === 'string' ? { request: id } : {}) },
      });
    }
  } catch {
    // Not one of our answers: told below.
  }
  return new KeyturnError('server_unreachable', `Something that is not Keyturn answered with HTTP ${status}.`, {
    fix: 'Check the server address in the connection file.',
  });
}

function unreachable(server: string, error: NodeJS.ErrnoException): KeyturnError {
  const tls = /CERT|SELF_SIGNED|VERIFY|ALTNAME/.test(error.code ?? '');
  if (tls) {
    return new KeyturnError(
      'server_untrusted',
      `${server} does not show a certificate of the pinned CA (${error.code}).`,
      {
        fix: 'Get a new connection file from the instance; do not go on if you did not expect a change.',
      },
    );
  }
  return new KeyturnError('server_unreachable', `${server} does not answer (${error.code ?? error.name}).`, {
    fix: 'Is it running? keyturn server; is the address right? See the connection file.',
  });
}
