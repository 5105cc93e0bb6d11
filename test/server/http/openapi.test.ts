import { afterAll, beforeAll, expect, test } from 'vitest';
import { STATUS_OF } from '../../../src/server/http/problem.ts';
import { Stage } from '../../credential/stage.ts';

type Json = { readonly [member: string]: unknown };

let stage: Stage;
let description: Json;
beforeAll(async () => {
  stage = await Stage.set();
  await stage.import();
  description = (await stage.keyturn.call('GET', '/openapi.json', { token: null })).body;
});
afterAll(() => stage.strike());

function operations(): { path: string; method: string; operation: Json }[] {
  return Object.entries(description['paths'] as Record<string, Record<string, Json>>).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );
}

/** Every `$ref` within `value`. */
function references(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([member, inner]) => (member === '$ref' ? [String(inner)] : references(inner)));
}

test('is OpenAPI 3.1 with an id, a summary, a success and a problem for each operation', () => {
  expect(description['openapi']).toMatch(/^3\.1\.\d$/);
  const ids = operations().map(({ operation }) => operation['operationId']);
  expect(new Set(ids).size).toBe(ids.length);
  for (const { operation } of operations()) {
    expect(operation['summary']).toMatch(/\S/);
    const responses = Object.keys(operation['responses'] as Json);
    expect(responses.some((status) => /^2\d\d$/.test(status))).toBe(true);
    expect(responses).toContain('default');
  }
});

test('every reference points at something', () => {
  const found = references(description);
  expect(found.length).toBeGreaterThan(0);
  for (const reference of found) {
    const target = reference
      .split('/')
      .slice(1)
      .reduce<unknown>((at, member) => (at as Json | undefined)?.[member], description);
    expect([reference, typeof target]).toEqual([reference, 'object']);
  }
});

test('every parameter of a path is declared, required, and no other is', () => {
  for (const { path, operation } of operations()) {
    const declared = ((operation['parameters'] ?? []) as Json[]).filter((each) => each['in'] === 'path');
    expect(declared.map((each) => String(each['name'])).toSorted()).toEqual(
      [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => String(name)).toSorted(),
    );
    expect(declared.every((each) => each['required'] === true)).toBe(true);
  }
});

test('only probes, metrics, the description itself and what an authority publishes are open', () => {
  const open = operations().filter(({ operation }) => (operation['security'] as unknown[]).length === 0);
  expect(open.map(({ path }) => path).toSorted()).toEqual([
    '/livez',
    '/metrics',
    '/openapi.json',
    '/readyz',
    '/v1/issuers/{issuer}/authority.pem',
    '/v1/issuers/{issuer}/revoked.pem',
  ]);
});

test('a body that the description requires is required, and what it does not list is refused', async () => {
  for (const { path, method, operation } of operations()) {
    const body = operation['requestBody'] as { content: Json } | undefined;
    if (body === undefined) continue;
    const [type = ''] = Object.keys(body.content);
    const target = path
      .replace('{name}', 'lean%2Fsandbox')
      .replace('{version}', '1')
      .replace('{store}', 'file')
      .replace('{companion}', 'a')
      .replace('{id}', `lease_${'0'.repeat(32)}`);
    const wrong = await stage.keyturn.call(method.toUpperCase(), target, {
      raw: Buffer.from('{}'),
      headers: { 'content-type': 'text/plain' },
    });
    expect([path, wrong.status]).toEqual([path, 415]);
    if (type !== 'application/json') continue;
    const extra = await stage.keyturn.call(method.toUpperCase(), target, { json: { frob: 1 } });
    expect([path, extra.status, extra.body['code']]).toEqual([path, 400, 'invalid_input']);
  }
});

test('the codes of problems are those there are', () => {
  const problem = (
    description['components'] as { schemas: Record<string, { properties: { code: { enum: string[] } } }> }
  ).schemas['Problem'];
  expect(problem?.properties.code.enum.toSorted()).toEqual(Object.keys(STATUS_OF).toSorted());
});
