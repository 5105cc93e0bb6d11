import { expect, test } from 'vitest';
import { failureOf } from '../../../src/client/server/problem.ts';

function reply(status: number, problem: Readonly<Record<string, unknown>> | null) {
  const type = problem === null ? 'text/html' : 'application/problem+json';
  return { status, type, body: Buffer.from(problem === null ? '<h1>' : JSON.stringify({ status, ...problem })) };
}

const DOWN = { code: 'keystore_unavailable', detail: 'A part is not available.', request: 'request_01' };

test('a server whose key store is down is told from one that has failed otherwise, and from a proxy', () => {
  const { kind, error } = failureOf(reply(503, DOWN), 'keyturn:8443');
  expect(kind).toBe('trouble');
  expect(error).toMatchObject({
    code: 'server_unreachable',
    message: 'keyturn:8443 answered 503 (keystore_unavailable, request_01), not with a lease.',
    fix: expect.stringContaining('keyturn store list'),
    facts: { problem: 'keystore_unavailable' },
  });
  const other = failureOf(reply(500, { code: 'internal', detail: 'x', fix: 'Tell whoever.' }), 'keyturn:8443');
  expect(other.error).toMatchObject({ message: expect.stringContaining('(internal)'), fix: 'Tell whoever.' });
  const proxy = failureOf(reply(502, null), 'keyturn:8443');
  expect(proxy.error).toMatchObject({ message: 'keyturn:8443 answered 502, not with a lease.' });
  expect(proxy.error.fix).toContain('proxy');
});

test('a verdict under a status of the server’s own failing ends no lease', () => {
  const { kind, error } = failureOf(reply(503, { code: 'held', detail: 'Frozen.' }), 'keyturn:8443');
  expect([kind, error.code]).toEqual(['trouble', 'server_unreachable']);
});
