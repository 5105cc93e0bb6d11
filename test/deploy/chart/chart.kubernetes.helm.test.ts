import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { run } from '../../fakes/programs.ts';
import { KUBERNETES, renderText, SETS } from './render.ts';

/** Of the Prometheus operator: Kubernetes itself has no schema for them. */
const FOREIGN = /^kind: (?:ServiceMonitor|PrometheusRule)$/m;

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'keyturn-chart-'));
});

afterAll(() => rm(folder, { recursive: true }));

async function validate(version: string, text: string) {
  const path = join(folder, 'rendered.yaml');
  const ours = text.split(/^---$/m).filter((document) => document.trim() !== '' && !FOREIGN.test(document));
  await writeFile(path, ours.join('\n---\n'));
  const { exitCode, stdout, stderr } = await run('kubernetes-validate', ['-k', version, '--strict', path]);
  return { exitCode, said: stdout + stderr, documents: ours.length };
}

test.each(SETS.flatMap((set) => KUBERNETES.map((version) => [set, version] as const)))(
  'with the values %s it is what Kubernetes %s takes',
  async (set, version) => {
    const { exitCode, said, documents } = await validate(version, await renderText(set, `${version}.0`));
    expect(said.match(/ passed for resource /g)).toHaveLength(documents);
    expect(said).not.toMatch(/WARN|ERROR/);
    expect(exitCode).toBe(0);
  },
);

test('a misspelt member is found', async () => {
  const text = (await renderText('vault')).replace('readOnlyRootFilesystem', 'readOnlyRootFileSystem');
  expect((await validate('1.31', text)).exitCode).not.toBe(0);
});

test('an older Kubernetes is refused', async () => {
  await expect(renderText('vault', '1.26.0')).rejects.toThrow(/kubeVersion/);
});
