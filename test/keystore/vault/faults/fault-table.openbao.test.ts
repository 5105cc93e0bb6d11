import { mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type OpenBaoCluster, startOpenBaoCluster } from '../../../fakes/openbao/cluster.ts';
import { FaultProxy } from '../../../fakes/openbao/fault-proxy.ts';
import { CANARY, VERBS } from './cell.ts';
import { EXPECTED } from './expected.ts';
import { type FaultStage, proxiedFaults, realFaults } from './faults.ts';
import { POLICY, type Row, runRow } from './scenario.ts';

const PAGE = fileURLToPath(new URL('../../../../.cache/fault-table-vault.md', import.meta.url));

let stage: FaultStage;
let cluster: OpenBaoCluster;
const rows: Record<string, Row> = {};
const printed: string[] = [];
const streams = [process.stdout, process.stderr].map((stream) => ({ stream, write: stream.write.bind(stream) }));

beforeAll(async () => {
  // node-vault's own debugging prints bodies; it must stay silent whatever the environment says.
  debugOfNodeVault().enable('*');
  for (const { stream, write } of streams) {
    stream.write = ((...args: Parameters<typeof stream.write>) => {
      printed.push(String(args[0]));
      return write(...args);
    }) as typeof stream.write;
  }
  cluster = await startOpenBaoCluster();
  const server = cluster.active;
  await server.policy('keyturn', POLICY);
  const at = { upstream: server.url, ca: server.ca.certificatePem };
  const expired = await server.ca.server({ notBefore: new Date(0), notAfter: new Date(Date.now() - 1000) });
  stage = {
    server,
    token: await server.token(['keyturn']),
    proxy: await FaultProxy.start({ ...at, server: await server.ca.server() }),
    elsewhere: await FaultProxy.start({ ...at, server: await server.ca.server() }),
    expired: await FaultProxy.start({ ...at, server: expired }),
    standbyUrl: cluster.standbyUrl,
  };
});

afterAll(async () => {
  debugOfNodeVault().disable();
  for (const { stream, write } of streams) stream.write = write;
  for (const proxy of [stage.proxy, stage.elsewhere, stage.expired]) await proxy[Symbol.asyncDispose]();
  await cluster[Symbol.asyncDispose]();
  mkdirSync(fileURLToPath(new URL('../../../../.cache', import.meta.url)), { recursive: true });
  writeFileSync(PAGE, page());
});

describe('each fault of Vault comes to the outcome of the table, and betrays nothing', () => {
  for (const name of Object.keys(EXPECTED)) {
    it(name, async () => {
      const fault = { ...realFaults(stage), ...proxiedFaults(stage) }[name];
      if (fault === undefined) throw new Error('No such fault.');
      const { row, said } = await runRow(stage.server, fault);
      rows[name] = row;
      expect(row).toEqual(EXPECTED[name]);
      for (const secret of canaries()) expect(said.includes(secret)).toBe(false);
    });
  }

  it('knows every fault that can be planted', () => {
    expect(Object.keys({ ...realFaults(stage), ...proxiedFaults(stage) }).sort()).toEqual(Object.keys(EXPECTED).sort());
  });

  it('prints neither token nor octets, with all debugging on', () => {
    for (const secret of [...canaries(), 'node-vault']) expect(printed.join('').includes(secret)).toBe(false);
  });

  it('sent nothing at all to where it was redirected', () => {
    expect(stage.elsewhere.seen).toEqual([]);
    expect(stage.elsewhere.tokens).toEqual([]);
  });
});

/** The very copy of the debugging library that node-vault holds. */
function debugOfNodeVault(): { enable(names: string): void; disable(): string } {
  return createRequire(createRequire(import.meta.url).resolve('node-vault'))('debug');
}

function canaries(): string[] {
  return [
    stage.token,
    stage.server.rootToken,
    CANARY.toString(),
    CANARY.toString('base64'),
    CANARY.toString('base64').slice(4, 28),
    CANARY.toString('hex'),
    [...CANARY.subarray(0, 8)].join(', '),
    CANARY.toString('hex').replace(/../g, '$& ').slice(0, 24),
  ];
}

function page(): string {
  const head = ['fault', ...VERBS];
  const lines = Object.entries(rows).map(([name, row]) => [name, ...VERBS.map((verb) => row[verb])]);
  return `# What each fault of Vault comes to

Behind the arrow: the records that the store holds afterwards (1 stood before, 2 is what \`write\` writes).

${[head, head.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n')}
`;
}
