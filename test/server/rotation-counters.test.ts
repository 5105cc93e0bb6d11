import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { canonicalJson } from '../../src/core/canonical-json.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { watchClients } from '../../src/server/rotation-counters.ts';

test('two scrapes at a time count what is new once', async () => {
  let size = 0;
  const entry = {
    actor: 'system',
    credential: 'lean/sandbox',
    index: 0,
    kind: 'rotation.rolling-back',
    time: '2026-01-01T00:00:00.000Z',
  };
  const json = canonicalJson({ v: 1, ...entry, data: {} });
  const ledger = {
    status: () => ({ size }),
    entries: async ({ kind, from, to }: { kind: string; from: number; to: number }) => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      return kind === entry.kind && from === 0 && to > 0 ? [{ index: 0, json }] : [];
    },
  } as unknown as Ledger;
  const registry = new Registry();
  watchClients(registry, ledger);
  size = 1;
  await Promise.all([registry.metrics(), registry.metrics()]);
  expect(await registry.metrics()).toContain('keyturn_rotation_share_rollbacks_total 1\n');
});
