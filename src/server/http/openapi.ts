import { z } from 'zod';
import { createDocument, type ZodOpenApiOperationObject, type ZodOpenApiPathsObject } from 'zod-openapi';
import { STATUS_OF } from './problem.ts';
import type { BodyKind, Route } from './route.ts';

const problem = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.enum(Object.keys(STATUS_OF) as [keyof typeof STATUS_OF, ...(keyof typeof STATUS_OF)[]]),
    fix: z.string().optional(),
    request: z.string(),
  })
  .meta({ id: 'Problem', description: 'RFC 9457 problem details; programs act on `code`.' });

/** The OpenAPI 3.1 description, made from the very schemas that parse. */
export function describeApi(routes: readonly Route[], version: string): string {
  const paths: ZodOpenApiPathsObject = {};
  for (const route of routes) {
    paths[route.path] = { ...paths[route.path], [route.method]: operation(route) };
  }
  const document = createDocument({
    openapi: '3.1.1',
    info: { title: 'Keyturn', version, description: 'Mutual-TLS credentials: held, lent, audited.' },
    components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
    paths,
  });
  return JSON.stringify(document, null, 2);
}

function operation(route: Route): ZodOpenApiOperationObject {
  const { success } = route;
  return {
    operationId: route.id,
    summary: route.summary,
    security: route.auth === 'none' ? [] : [{ token: [] }],
    requestParams: {
      ...(route.params === undefined ? {} : { path: route.params }),
      ...(route.query === undefined ? {} : { query: route.query }),
      ...(route.headers === undefined ? {} : { header: route.headers }),
    },
    ...requestBody(route.body),
    responses: {
      [String(success.status)]: {
        description: success.description,
        ...(success.schema === undefined ? {} : { content: { 'application/json': { schema: success.schema } } }),
      },
      default: {
        description: problemsOf(route),
        content: { 'application/problem+json': { schema: problem } },
      },
    },
  };
}

function problemsOf({ problems }: Route): string {
  const listed = problems.map((code) => `${STATUS_OF[code]} ${code}`);
  return listed.length === 0 ? 'A problem' : `A problem: ${listed.join(', ')}`;
}

function requestBody(body: BodyKind): Pick<ZodOpenApiOperationObject, 'requestBody'> {
  switch (body.kind) {
    case 'none':
      return {};
    case 'json':
      return { requestBody: { required: true, content: { 'application/json': { schema: body.schema } } } };
    case 'octets':
      return {
        requestBody: {
          required: true,
          content: { 'application/octet-stream': { schema: z.string().meta({ format: 'binary' }) } },
        },
      };
    case 'upload':
      return {
        requestBody: {
          required: true,
          content: { 'multipart/form-data': { schema: z.object({ files: z.array(z.string()) }) } },
        },
      };
  }
}
