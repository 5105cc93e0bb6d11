import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../../../src/compose/config.ts';
import { initInstance } from '../../../src/compose/init.ts';
import { cannotAsk } from '../../../src/compose/master-key.ts';
import { type Instance, openInstance } from '../../../src/compose/open.ts';
import type { Caller } from '../../../src/credential/caller.ts';
import { certificatesIn } from '../../../src/issuer/certificates.ts';
import { isPublishing } from '../../../src/issuer/driver.ts';
import type { Certificate } from '../../../src/x509/certificate.ts';
import { readRequest } from '../../../src/x509/request/read-request.ts';
import { edit } from '../../e2e/instance.ts';
import { TestCa } from '../../fakes/ca.ts';

/** Memory, where there is a folder for it: nothing here is about what outlives a machine. */
const PLACE = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

/** One instance for many runs, each with a credential of its own. */
export interface House {
  readonly instance: Instance;
  readonly alice: Caller;
  /** Of partners that make keys. */
  readonly ca: TestCa;
  /** All who sign for anybody. */
  readonly authorities: readonly Certificate[];
  /** Signs a request, as the people do whom it is sent to: the certificate and its authority's, PEM. */
  readonly sign: (id: string, request: string) => Promise<string>;
}

export async function openHouse(): Promise<House & AsyncDisposable> {
  await using undo = new AsyncDisposableStack();
  const home = await mkdtemp(join(PLACE, 'keyturn-model-'));
  undo.defer(() => rm(home, { recursive: true, force: true }));
  await initInstance({ home, administrator: 'alice', port: 0, ask: cannotAsk });
  await edit(join(home, 'keyturn.yaml'), (config) => ({
    ...config,
    issuers: { internal: { kind: 'local' }, elsewhere: { kind: 'local' } },
  }));
  const instance = await openInstance(await loadConfig(home), { ask: cannotAsk });
  undo.defer(() => instance.close());
  const [token] = await instance.desk.ledger.find('tokens', { principal: 'person:alice' });
  if (token === undefined) throw new Error('Nobody administers this instance.');
  const alice = {
    principal: { id: 'person:alice', kind: 'person' },
    token: { id: token.id, expiresAt: token.expires_at },
    request: 'request_model',
    host: '127.0.0.1',
  } as const;
  const ca = await TestCa.create();
  const authorities = certificatesIn(ca.certificatePem);
  for (const { driver } of instance.issuers.values()) {
    if (isPublishing(driver)) authorities.push(...certificatesIn(await driver.authority()));
  }
  const sign = async (id: string, pem: string) => signByHand(instance, id, pem);
  const rest = undo.move();
  return { instance, alice, ca, authorities, sign, [Symbol.asyncDispose]: () => rest.disposeAsync() };
}

async function signByHand({ issuers }: Instance, id: string, pem: string): Promise<string> {
  const driver = issuers.get('elsewhere')?.driver;
  const der = Buffer.from(pem.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64');
  const { spki } = await readRequest(der);
  const answer = await driver?.issue(
    {
      id,
      credential: 'acme/elsewhere',
      request: { der, pem, spki, identity: { subject: [], dns: [], uris: [] } },
      lifetimeSeconds: null,
      issuerChain: null,
      byHand: { partner: 'acme', steps: [], contact: null },
    },
    AbortSignal.timeout(10_000),
  );
  if (answer?.kind !== 'issued') throw new Error('Nothing was signed.');
  return answer.certificate + answer.chain;
}
