import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import { underFence } from '../../../src/credential/store/in-turn.ts';
import { StoreQueue, storePlace } from '../../../src/credential/store/store-queue.ts';
import type { IssuerDriver, Publishing } from '../../../src/issuer/driver.ts';
import { type Issued, Issuer } from '../../../src/issuer/issuer.ts';
import { openLocalIssuer } from '../../../src/issuer/local/local-issuer.ts';
import { KeyStore } from '../../../src/keystore/keystore.ts';
import type { Ledger } from '../../../src/ledger/ledger.ts';
import { typed } from '../../../src/x509/peculiar.ts';
import { MemoryKeyStore } from '../../conformance/broken-keystore.ts';
import { anIssuance } from '../../conformance/issuers/issuer.ts';
import { PostgresCluster } from '../../fakes/postgres/cluster.ts';
import { replicasOf } from '../../ledger/postgres/place.ts';

let cluster: PostgresCluster;
let replicas: ReturnType<typeof replicasOf>;
let ledgers: Ledger[];
let servers: { readonly driver: IssuerDriver & Publishing; readonly issuer: Issuer }[];
let keys: MemoryKeyStore;

beforeAll(async () => {
  cluster = await PostgresCluster.start();
});
afterAll(() => cluster[Symbol.asyncDispose]());

/** Three servers over one ledger and one key store, as over Vault. */
beforeEach(async () => {
  replicas = replicasOf(await cluster.database());
  keys = new MemoryKeyStore();
  ledgers = [await replicas.open(), await replicas.open(), await replicas.open()];
  servers = ledgers.map((ledger) => {
    const queue = new StoreQueue(ledger);
    const driver = openLocalIssuer({
      name: 'internal',
      home: {
        ledger,
        clock: systemClock,
        stores: new Map([['shared', new KeyStore('shared', keys)]]),
        store: 'shared',
        inTurn: (name, effect) => queue.run([storePlace(name)], (fence) => effect(underFence(ledger, fence))),
        attested: async () => [],
      },
    });
    return { driver, issuer: new Issuer('internal', 'local', driver, { clock: systemClock }) };
  });
});
afterEach(() => replicas.close());

/** They take turns. */
function server(n: number): Issuer {
  const found = servers[n % servers.length];
  if (found === undefined) throw new Error('There are no servers.');
  return found.issuer;
}

async function kinds(): Promise<string[]> {
  const entries = (await ledgers[0]?.entries({ limit: 1000 })) ?? [];
  return entries.map(({ json }) => JSON.parse(json).kind);
}

test('servers that need the authority at the same moment make one', async () => {
  const all = await Promise.all(servers.map(({ driver }) => driver.authority()));
  expect(new Set(all).size).toBe(1);
  expect([...keys.records.keys()]).toEqual(['issuers/internal/1']);
  expect(await kinds()).toEqual(['issuer.authority-intended', 'issuer.authority-made']);
});

test('servers that are asked for the same issuance at the same moment give one certificate', async () => {
  for (let round = 0; round < 5; round += 1) {
    const asked = await anIssuance();
    const all = await Promise.all(servers.map(({ issuer }) => issuer.issue(asked)));
    expect(new Set(all.map((each) => (each as Issued).certificate.serial)).size).toBe(1);
  }
  expect((await kinds()).filter((kind) => kind === 'issuer.issued')).toHaveLength(5);
});

test('servers that revoke at the same moment lose none, and count the lists without a gap', async () => {
  const all: Issued[] = [];
  for (let n = 0; n < 6; n += 1) all.push((await server(n).issue(await anIssuance())) as Issued);
  const { byHand } = await anIssuance();
  await Promise.all(
    all.map(({ certificate }, n) => server(n).revoke({ certificate: certificate.pem, reason: 'superseded', byHand })),
  );
  const lists = await Promise.all(servers.map(({ driver }) => driver.revocationList()));
  expect(new Set(lists.map(({ pem }) => pem)).size).toBe(1);
  expect(lists[0]?.number).toBe(7);
  const found = new typed.X509Crl(lists[0]?.pem ?? '').entries.map(({ serialNumber }) => serialNumber);
  expect(found.toSorted()).toEqual(all.map(({ certificate }) => certificate.serial).toSorted());
});
