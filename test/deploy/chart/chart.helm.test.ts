import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { jsonOf, stages } from '../dockerfile.ts';
import { type Pod, podOf, serverOf } from './pod.ts';
import { CHART, helm, only, type Resource, render, SETS } from './render.ts';

describe.each(SETS)('with the values %s', (set) => {
  let resources: Resource[];
  let pod: Pod;

  beforeAll(async () => {
    resources = await render(set);
    pod = podOf(resources);
  });

  test('helm finds nothing to say, neither of the chart nor of the values', async () => {
    const linted = await helm(['lint', '--strict', '--quiet'], set, ['--kube-version', '1.31']);
    expect(linted).toEqual({ exitCode: 0, stdout: '', stderr: '' });
  });

  test('every container is restricted as the pod security standard says', () => {
    expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } });
    for (const { name, securityContext, resources: need } of [...pod.initContainers, ...pod.containers]) {
      expect(securityContext, name).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        runAsNonRoot: true,
        capabilities: { drop: ['ALL'] },
        seccompProfile: { type: 'RuntimeDefault' },
      });
      expect(need.requests, name).toBeDefined();
      expect(need.limits, name).toHaveProperty('memory');
    }
  });

  test('the user is the image’s, and the image’s own command runs', () => {
    const [uid] = (
      stages()
        .at(-1)
        ?.find(({ name }) => name === 'USER')?.value ?? ''
    )
      .split(':')
      .map(Number);
    expect(pod.securityContext).toMatchObject({ runAsUser: uid, fsGroup: uid });
    const { command, args } = serverOf(pod);
    expect({ command, args }).toEqual({ command: undefined, args: jsonOf('CMD') });
  });

  test('no container before the server’s runs a shell', () => {
    for (const { command } of pod.initContainers) expect(['install', 'chmod']).toContain(command?.[0]);
  });

  test('the server is probed over HTTPS: alive on /livez, in service on /readyz', () => {
    const { livenessProbe, readinessProbe } = serverOf(pod);
    expect(livenessProbe?.httpGet).toEqual({ path: '/livez', port: 'https', scheme: 'HTTPS' });
    expect(readinessProbe?.httpGet).toEqual({ path: '/readyz', port: 'https', scheme: 'HTTPS' });
  });

  test('secrets reach the server only as copies in memory, never by ConfigMap, environment or mount', () => {
    const secret = pod.volumes.filter(({ secret: one, projected }) => one ?? projected?.sources.some((s) => s.secret));
    expect(secret.map(({ name }) => name)).toEqual(['secrets']);
    const mounts = (names: readonly { name: string }[]) => names.some(({ name }) => name === 'secrets');
    expect(mounts(serverOf(pod).volumeMounts)).toBe(false);
    const holders = pod.initContainers.filter(({ volumeMounts }) => mounts(volumeMounts));
    expect(holders.map(({ name }) => name)).toEqual(['secrets']);
    expect(pod.volumes.find(({ name }) => name === 'home')?.emptyDir?.medium).toBe('Memory');
    expect(resources.map(({ kind }) => kind)).not.toContain('Secret');
    expect(JSON.stringify(pod)).not.toContain('secretKeyRef');
  });

  test('no token of the cluster is mounted, unless one for Vault was asked for', () => {
    expect(pod.automountServiceAccountToken).toBe(false);
    expect(only(resources, 'ServiceAccount').automountServiceAccountToken).toBe(false);
    const tokens = JSON.stringify(pod.volumes).match(/serviceAccountToken/g) ?? [];
    expect(tokens).toHaveLength(set === 'vault' ? 1 : 0);
  });

  test('a budget leaves one server to be moved', () => {
    const { replicas } = only(resources, 'StatefulSet').spec as { replicas: number };
    const budgets = resources.filter(({ kind }) => kind === 'PodDisruptionBudget');
    expect(budgets).toHaveLength(replicas > 1 ? 1 : 0);
    for (const { spec } of budgets) expect(spec?.['minAvailable']).toBe(replicas - 1);
  });

  test('the cluster waits longer than a server takes to stop', () => {
    expect(pod.terminationGracePeriodSeconds).toBeGreaterThan(15);
  });

  test('each server can be called by name while it is not ready', () => {
    const service = resources.find(({ kind, spec }) => kind === 'Service' && spec?.['clusterIP'] === 'None');
    expect(service?.spec).toMatchObject({ publishNotReadyAddresses: true });
    expect(only(resources, 'StatefulSet').spec?.['serviceName']).toBe(service?.metadata.name);
  });
});

describe('values that would not work are refused', () => {
  test.each([
    ['a member that there is not', ['--set', 'replicaz=3'], /replicaz/],
    ['more servers than a connection file names beside the Service', ['--set', 'replicas=16'], /replicas/],
    ['no origin', ['--set', 'instance.origin='], /origin/],
    ['no policies', ['--set', 'policies.access=null'], /access/],
    ['the image "latest"', ['--set', 'image.tag=latest'], /tag/],
    ['an encrypted file as a store, which each pod would have alone', ['--set', 'config.stores.x.kind=file'], /kind/],
    ['keys that would go to the instance’s own file', ['--set', 'config.default-store=file'], /ends with the pod/],
    [
      'an authority whose key would go to the instance’s own file',
      ['--set', 'config.issuers.internal.kind=local,config.issuers.internal.store=file'],
      /issuers.internal.store.*ends with the pod/,
    ],
    ['an issuer of no kind that there is', ['--set', 'config.issuers.x.kind=acme'], /kind/],
    ['an issuer under the name of the people', ['--set', 'config.issuers.manual.kind=local'], /manual|issuers/],
    ['flags of Node past the image’s', ['--set', 'env[0].name=NODE_OPTIONS,env[0].value=--inspect'], /env/],
    ['a file under the name of the master key', ['--set', 'files[0].name=master.key'], /files/],
    ['an address that one server alone has', ['--set', 'config.host=10.0.0.7'], /host/],
    ['a password in the configuration', ['--set', 'config.ledger.postgres.password=x'], /password/],
    ['less time than a server takes to stop', ['--set', 'terminationGracePeriodSeconds=5'], /terminationGrace/],
  ])('%s', async (_, flags, reason) => {
    await expect(render('vault', flags)).rejects.toThrow(reason);
  });
});

test('values.yaml and its schema know the same members', async () => {
  const values = parse(await readFile(join(CHART, 'values.yaml'), 'utf8')) as Record<string, unknown>;
  const schema = JSON.parse(await readFile(join(CHART, 'values.schema.json'), 'utf8')) as { properties: object };
  expect(Object.keys(values).sort()).toEqual(
    Object.keys(schema.properties)
      .filter((name) => name !== 'global')
      .sort(),
  );
});

test('with monitoring, the alerts are the file’s, and the scrape job has the name that they know', async () => {
  const resources = await render('aws');
  const file = parse(await readFile(join(CHART, 'files/keyturn.rules.yaml'), 'utf8'));
  expect(only(resources, 'PrometheusRule').spec).toEqual(file);
  const { jobLabel, selector } = only(resources, 'ServiceMonitor').spec as {
    jobLabel: string;
    selector: { matchLabels: Record<string, string> };
  };
  const wanted = Object.entries(selector.matchLabels);
  const scraped = resources.filter(
    ({ kind, metadata }) => kind === 'Service' && wanted.every(([name, value]) => metadata.labels?.[name] === value),
  );
  expect(scraped.map(({ metadata }) => metadata.labels?.[jobLabel])).toEqual(['keyturn']);
});

test('servers listen on IPv4, and in a cluster that has it on IPv6 as well', async () => {
  const hostOf = (resources: readonly Resource[]) => {
    const { data } = resources.find(({ data }) => data?.['keyturn.yaml'] !== undefined) ?? {};
    return (parse(data?.['keyturn.yaml'] ?? '') as { listen: { host: string } }).listen.host;
  };
  expect(hostOf(await render('vault'))).toBe('0.0.0.0');
  expect(hostOf(await render('vault', ['--set', 'config.host=::']))).toBe('::');
});

test('a change of the configuration starts the servers anew', async () => {
  const sum = (resources: readonly Resource[]) =>
    /"checksum\/config":"(\w+)"/.exec(JSON.stringify(only(resources, 'StatefulSet')))?.[1];
  const before = sum(await render('vault'));
  expect(before).toBeDefined();
  expect(sum(await render('vault'))).toBe(before);
  expect(sum(await render('vault', ['--set', 'config.leases.default=1m']))).not.toBe(before);
});
