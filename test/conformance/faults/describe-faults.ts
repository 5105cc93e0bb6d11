import { relative } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { KeyStoreKind } from '../../../src/keystore/registry.ts';
import { Searcher, told } from '../../e2e/canary/search/searcher.ts';
import { octetsCanary } from '../../e2e/canary/search/secrets.ts';
import { CANARY } from './cell.ts';
import { faultHarnesses } from './harnesses.ts';
import { PAGE, type Part, summary, writePage } from './page.ts';
import type { Row, RunningBench } from './table.ts';

/** Every fault of one adapter, verb by verb; its part of the page is written when all of it was run. */
export function describeFaults(kind: KeyStoreKind): void {
  const { expected, verbs, network, impossible, start } = faultHarnesses[kind];
  const rows: Record<string, Row> = {};
  const printed: Buffer[] = [];
  let bench: RunningBench;
  let searcher: Searcher;
  let began = 0;
  const streams = [process.stdout, process.stderr].map((stream) => vi.spyOn(stream, 'write'));

  beforeAll(async () => {
    began = performance.now();
    bench = await start();
    searcher = new Searcher([octetsCanary('record', CANARY), ...bench.canaries]);
  });
  afterEach(() => {
    for (const { mock } of streams) printed.push(...mock.calls.splice(0).map(([text]) => Buffer.from(text)));
  });
  afterAll(async () => {
    await bench.stop();
    for (const stream of streams) stream.mockRestore();
    if (Object.keys(rows).length < Object.keys(expected).length) return;
    const seconds = (performance.now() - began) / 1000;
    const part: Part = { kind, network, verbs, rows, impossible, seconds, at: new Date().toISOString() };
    writePage(part);
    process.stdout.write(`fault table: ${summary(part)}, in ${relative(process.cwd(), PAGE)}\n`);
  });

  describe(`each fault of the key store ${kind} comes to the outcome of the table, and betrays nothing`, () => {
    for (const name of Object.keys(expected)) {
      it(name, async () => {
        const { row, said, brokenPromises } = await bench.run(name, verbs);
        expect(row).toEqual(expected[name]);
        expect(brokenPromises).toEqual([]);
        expect(said.length).toBeGreaterThan(0);
        expect(told(searcher.find(said))).toEqual([]);
        rows[name] = row;
      });
    }

    it('has an outcome for every fault that can be planted, and a fault for every outcome', () => {
      expect([...bench.faults].sort()).toEqual(Object.keys(expected).sort());
    });

    it('prints no secret', () => {
      process.stderr.write('\n');
      for (const { mock } of streams) printed.push(...mock.calls.splice(0).map(([text]) => Buffer.from(text)));
      expect(printed.length).toBeGreaterThan(0);
      expect(told(searcher.find(Buffer.concat(printed)))).toEqual([]);
    });

    it('nothing of the bench broke', () => {
      expect(bench.broken()).toEqual([]);
    });
  });
}
