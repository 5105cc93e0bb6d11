import { readOrigin } from '../endpoint.ts';
import type { Contact } from '../profiles.ts';
import type { EnvironmentDocument } from '../schema.ts';
import type { Lifecycle, TestRequest, WrittenTest } from './lifecycle.ts';

/** Makes the refusal of the profile from where the fault is and what it is. */
export type Fault = (path: string, what: string, fix?: string) => Error;

/** What the members say together that none says alone. @throws what `fault` makes. */
export function lifecycleOf(document: EnvironmentDocument, contacts: readonly Contact[], fault: Fault): Lifecycle {
  const { issuance, revocation, hours = null, test, swap = null } = document;
  if (issuance.issuer === 'manual' && revocation.by === 'issuer') {
    throw fault('revocation.by', 'is issuer, but a manual issuer revokes nothing', 'Say "by: asking".');
  }
  if (issuance.issuer !== 'manual' && issuance.key === 'partner') {
    throw fault(
      'issuance.key',
      'is partner, but an issuer with an interface signs our requests',
      'Say "key: keyturn".',
    );
  }
  const { contact } = revocation;
  if (contact !== undefined && !contacts.some(({ role }) => role === contact)) {
    throw fault('revocation.contact', 'is not the role of a contact of this profile', 'Add it to contacts.');
  }
  if (swap !== null && issuance.live === 1) {
    const what = 'needs two certificates that live at once, and issuance.live is 1';
    throw fault('swap', what, 'Remove it; or say in issuance.live how many the partner accepts.');
  }
  if (swap !== null && test === undefined) {
    throw fault('swap', 'needs a test: no client gets a version first that the partner was not seen to accept');
  }
  return { issuance, revocation, hours, test: test === undefined ? null : testOf(test, document, fault), swap };
}

function testOf(test: WrittenTest, { endpoints, companions }: EnvironmentDocument, fault: Fault): TestRequest {
  const origin = readOrigin(test.endpoint);
  const host = 'host' in origin ? origin.host : null;
  const asks = endpoints.some(({ url, mtls }) => {
    const endpoint = readOrigin(url);
    return mtls && 'host' in endpoint && endpoint.host === host;
  });
  if (host === null || !asks) {
    throw fault('test.endpoint', 'is not one of the endpoints that ask for a certificate', 'Name one with mtls: true.');
  }
  const unknown = Object.values(test.companions).find((name) => !companions.includes(name));
  if (unknown !== undefined) throw fault('test.companions', 'names a companion that is not under companions');
  if (test.body !== undefined && test.method !== 'POST') throw fault('test.body', 'is sent with POST alone');
  const { method, path, headers, expect, unregistered, timeout } = test;
  const both = unregistered.find(({ status }) => expect.includes(status));
  if (both !== undefined)
    throw fault('test.unregistered', `lists ${both.status}, which is expected of a good certificate`);
  const body = test.body ?? null;
  return {
    host,
    method,
    path,
    headers,
    companions: test.companions,
    body,
    expect,
    unregistered,
    timeoutSeconds: timeout,
  };
}
