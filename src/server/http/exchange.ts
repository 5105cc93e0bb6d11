import type { IncomingMessage, ServerResponse } from 'node:http';
import type { z } from 'zod';
import type { Clock } from '../../core/clock.ts';
import { KeyturnError } from '../../core/errors.ts';
import { newId } from '../../core/ids.ts';
import type { Caller } from '../../credential/caller.ts';
import { canonicalHost } from '../../credential/hold/subject.ts';
import type { TokenBook } from '../../credential/token-book.ts';
import type { ServerLog } from '../log/server-log.ts';
import type { StrangerLog } from '../log/stranger-log.ts';
import type { Metrics } from '../metrics.ts';
import { sendPieces } from './pieces.ts';
import { isInside, problemOf } from './problem.ts';
import { readBody, wipeBody } from './read-body.ts';
import { type Answer, JSON_TYPE, type Parsed, type Route } from './route.ts';

export interface Gate {
  readonly book: TokenBook;
  readonly strangers: StrangerLog;
  readonly metrics: Metrics;
  readonly log: ServerLog;
  readonly clock: Clock;
}

const NOBODY: Caller = {
  principal: { id: 'unknown', kind: 'service' },
  token: { id: '', expiresAt: 0 },
  request: '',
  host: '',
};

/** What routing found in the request's target. */
export interface Target {
  readonly params: Readonly<Record<string, unknown>>;
  /** Read when the route asks for it. */
  readonly query: () => Readonly<Record<string, unknown>>;
}

/** One request through one route: authenticate → read within limits → parse → handle → answer → wipe. */
export function exchange(gate: Gate, route: Route) {
  return async (request: IncomingMessage, response: ServerResponse, target: Target): Promise<void> => {
    const started = gate.clock.monotonic();
    const id = requestId(response);
    let outcome = 'ok';
    let body: Pick<Parsed, 'json' | 'octets' | 'files' | 'fields'> | null = null;
    try {
      const caller = route.auth === 'none' ? NOBODY : await authenticate(gate, request, id);
      body = await readBody(request, route.body);
      await send(response, await route.handle(parse(route, request, target, body), caller));
    } catch (error) {
      outcome = sendProblem(gate, response, error, id);
    } finally {
      if (body !== null) wipeBody(body);
      const seconds = (gate.clock.monotonic() - started) / 1000;
      gate.metrics.requests.inc({ operation: route.id, status: response.statusCode });
      gate.metrics.seconds.observe({ operation: route.id }, seconds);
      gate.metrics.access.inc({ operation: route.id, outcome });
      gate.log.request({ id, operation: route.id, status: response.statusCode, outcome, seconds });
    }
  };
}

const ids = new WeakMap<ServerResponse, string>();

/** Every answer carries the id that its entries and log lines bear. */
export function requestId(response: ServerResponse): string {
  const known = ids.get(response);
  if (known !== undefined) return known;
  const id = newId('request');
  ids.set(response, id);
  response.setHeader('x-request-id', id);
  return id;
}

async function authenticate(gate: Gate, request: IncomingMessage, id: string): Promise<Caller> {
  const host = canonicalHost(request.socket.remoteAddress ?? 'unknown');
  try {
    const bearer = await gate.book.authenticate(onlyAuthorization(request), gate.clock.now());
    return { ...bearer, request: id, host };
  } catch (error) {
    const reason = request.headers.authorization === undefined ? 'no-token' : 'bad-token';
    if (error instanceof KeyturnError && error.code === 'unauthenticated') gate.strangers.failed(reason, host, id);
    throw error;
  }
}

/** Of two, a proxy could have judged the other one (RFC 9110 section 5.3: the header may not be given twice). */
function onlyAuthorization({ headers, rawHeaders }: IncomingMessage): string | undefined {
  let given = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) if (isAuthorization(rawHeaders[at] ?? '')) given += 1;
  return given === 1 ? headers.authorization : undefined;
}

function isAuthorization(name: string): boolean {
  return name.length === 'authorization'.length && name.toLowerCase() === 'authorization';
}

function parse(
  route: Route,
  request: IncomingMessage,
  { params, query }: Target,
  body: Pick<Parsed, 'json' | 'octets' | 'files' | 'fields'>,
): Parsed {
  return {
    ...body,
    params: checked(route.params, params, 'path') as Record<string, unknown>,
    query: route.query === undefined ? {} : (checked(route.query, { ...query() }, 'query') as Record<string, unknown>),
    headers: checked(route.headers, namedHeaders(route, request), 'header') as Record<string, unknown>,
    json: route.body.kind === 'json' ? checked(route.body.schema, body.json, 'body') : null,
  };
}

/** Of all headers those that the route asks for. */
function namedHeaders(route: Route, request: IncomingMessage): Record<string, unknown> {
  const names = Object.keys(route.headers?.shape ?? {});
  return Object.fromEntries(names.flatMap((name) => (name in request.headers ? [[name, request.headers[name]]] : [])));
}

/** @throws KeyturnError `invalid_input`, naming the member and the rule but never the value. */
function checked(schema: z.ZodType | undefined, value: unknown, where: string): unknown {
  if (schema === undefined) return {};
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const member =
    issue === undefined || issue.path.length === 0 ? where : `${where}.${issue.path.map(String).join('.')}`;
  const rule = issue?.code === 'custom' ? issue.message : ruleOf(issue);
  throw new KeyturnError('invalid_input', `${member}: ${rule}.`, {
    fix: 'See /openapi.json for what this operation takes.',
  });
}

/** zod's own messages may quote the input; its codes never do. */
function ruleOf(issue: z.core.$ZodIssue | undefined): string {
  switch (issue?.code) {
    case 'invalid_type':
      return `expected ${issue.expected}`;
    case 'too_big':
      return `more than ${String(issue.maximum)}`;
    case 'too_small':
      return `less than ${String(issue.minimum)}`;
    case 'unrecognized_keys':
      return 'has a member that this operation does not know';
    case 'invalid_format':
      return 'has the wrong form';
    case 'invalid_value':
      return `must be one of ${issue.values.map(String).join(', ')}`;
    default:
      return 'is not valid';
  }
}

async function send(response: ServerResponse, answer: Answer): Promise<void> {
  response.setHeader('cache-control', 'no-store');
  response.statusCode = answer.status;
  if ('json' in answer) {
    sendText(response, JSON_TYPE, JSON.stringify(answer.json));
  } else if ('text' in answer) {
    if (typeof answer.text === 'string') return sendText(response, answer.type, answer.text, answer.ascii);
    response.setHeader('content-type', answer.type);
    if (answer.onClose !== undefined) {
      whenClosed(response, answer.onClose);
      forgetToken(response.req);
    }
    await sendPieces(response, answer.text);
  } else if ('octets' in answer) {
    const [header, facts] = answer.facts;
    response.setHeader('content-type', answer.type);
    response.setHeader(header, JSON.stringify(facts));
    await sendPieces(response, answer.octets);
  } else {
    response.end();
  }
}

/** Also for a connection that was gone before there was an answer: it says so once, and had said so. */
function whenClosed(response: ServerResponse, then: () => void): void {
  if (response.destroyed) then();
  else response.once('close', then);
}

/** Head and body as one text, so that they leave in one write; ASCII needs no encoding. */
function sendText(response: ServerResponse, type: string, text: string, ascii = false): void {
  // To count them V8 writes the text out in one piece.
  const octets = ascii ? text.length : Buffer.byteLength(text);
  response.setHeader('content-type', type);
  response.setHeader('content-length', octets);
  response.end(text, octets === text.length ? 'latin1' : 'utf8');
}

/** A stream may last for days; the token that opened it must not. */
function forgetToken({ headers, headersDistinct, rawHeaders }: IncomingMessage): void {
  delete headers.authorization;
  delete headersDistinct['authorization'];
  rawHeaders.fill('');
}

/** Answers with a problem document; returns its code. Once an answer has begun it can only be cut off. */
export function sendProblem(gate: Pick<Gate, 'log'>, response: ServerResponse, error: unknown, id: string): string {
  const problem = problemOf(error, id);
  if (isInside(problem.code)) gate.log.fault(id, error);
  if (response.headersSent) {
    response.destroy();
    return problem.code;
  }
  if (problem.status === 401) response.setHeader('www-authenticate', 'Bearer realm="keyturn"');
  if (problem.status === 413 || problem.status === 415) response.setHeader('connection', 'close');
  if (problem.status === 429 || problem.status === 503) response.setHeader('retry-after', '1');
  response.setHeader('cache-control', 'no-store');
  response.statusCode = problem.status;
  sendText(response, 'application/problem+json; charset=utf-8', JSON.stringify(problem));
  return problem.code;
}
