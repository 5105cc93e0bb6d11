import type { RequestListener, ServerResponse } from 'node:http';
import express, { type Express, type NextFunction, type Request, type Response } from 'express';
import { KeyturnError } from '../../core/errors.ts';
import { exchange, type Gate, requestId, sendProblem } from './exchange.ts';
import { fastLane } from './fast-lane.ts';
import type { Route } from './route.ts';

/** All routes: the few that are asked most by the fast lane, everything else through Express. */
export function createApp(gate: Gate, routes: readonly Route[]): RequestListener {
  const app = expressApp(gate, routes);
  const passes = fastLane(gate, routes);
  return (request, response) => {
    if (!passes(request, response, hardenAnswer)) app(request, response);
  };
}

/** The Express application: the guard, the routes, and problem documents for all else. */
function expressApp(gate: Gate, routes: readonly Route[]): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.enable('strict routing');
  app.enable('case sensitive routing');
  app.set('trust proxy', false);
  app.set('query parser', 'simple');
  app.use(guardPath);
  app.use((_request, response, next) => {
    hardenAnswer(response);
    next();
  });
  for (const route of routes) {
    const handle = exchange(gate, route);
    app[route.method](expressPath(route.path), (request, response) =>
      handle(request, response, { params: request.params, query: () => request.query }),
    );
  }
  for (const [path, methods] of methodsByPath(routes)) app.all(path, refuseMethod(methods));
  app.use(() => {
    throw new KeyturnError('not_found', 'There is nothing at this path.', {
      fix: 'See /openapi.json for what there is.',
    });
  });
  app.use((error: unknown, _request: Request, response: Response, _next: NextFunction) => {
    const id = requestId(response);
    const outcome = sendProblem(gate, response, fromExpress(error), id);
    gate.metrics.requests.inc({ operation: 'none', status: response.statusCode });
    gate.log.request({ id, operation: 'none', status: response.statusCode, outcome, seconds: 0 });
  });
  return app;
}

/**
 * One spelling a path: a target that is not canonical is refused before routing, so that no rule can be passed by
 * another spelling. A slash inside a name is written %2F.
 */
function guardPath(request: Request, _response: Response, next: NextFunction): void {
  const path = request.url.split('?', 1)[0] ?? '';
  const canonical =
    /^(?:\/(?:[A-Za-z0-9._~@:-]|%2[Ff])+)+$/.test(path) && !/(?:^|\/|%2[Ff])\.{1,2}(?:\/|%2[Ff]|$)/.test(path);
  if (!canonical && path !== '/') {
    throw new KeyturnError('invalid_input', 'The request path is not in canonical form.', {
      fix: 'Use lower-case names, no empty or dot segments, and %2F for a slash inside a credential’s name.',
    });
  }
  next();
}

function hardenAnswer(response: ServerResponse): void {
  response.setHeader('x-content-type-options', 'nosniff');
  response.setHeader('strict-transport-security', 'max-age=31536000');
}

function expressPath(path: string): string {
  return path.replaceAll(/\{([a-z]+)\}/g, ':$1');
}

function methodsByPath(routes: readonly Route[]): Map<string, Set<string>> {
  const methods = new Map<string, Set<string>>();
  for (const { path, method } of routes) {
    const known = methods.get(expressPath(path)) ?? new Set();
    known.add(method.toUpperCase());
    if (method === 'get') known.add('HEAD');
    methods.set(expressPath(path), known);
  }
  return methods;
}

function refuseMethod(methods: ReadonlySet<string>) {
  return (request: Request, response: Response): void => {
    response.setHeader('allow', [...methods].join(', '));
    throw new KeyturnError('method_not_allowed', `${request.method} is not a method of this path.`, {
      fix: `Use ${[...methods].join(' or ')}.`,
    });
  };
}

/** Express's own errors (a broken %-escape) carry a status; their text may quote the request. */
function fromExpress(error: unknown): unknown {
  if (error instanceof KeyturnError) return error;
  const status = typeof error === 'object' && error !== null && 'status' in error ? error.status : undefined;
  if (typeof status === 'number' && status >= 400 && status < 500) {
    return new KeyturnError('invalid_input', 'The request could not be read.', { fix: 'See /openapi.json.' });
  }
  return error;
}
