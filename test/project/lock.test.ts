import { expect, test } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import lock from '../../package-lock.json' with { type: 'json' };
import { completeLock, type Lock, type LockEntry, missingEntries } from '../../scripts/complete-lock.mjs';

const LOCK: Lock = lock;
const EXACT = /^\d+\.\d+\.\d+(?:-[\w.]+)?$/;

function placesWhere(holds: (entry: LockEntry) => boolean): string[] {
  return Object.entries(LOCK.packages)
    .filter(([place, entry]) => place !== '' && holds(entry))
    .map(([place]) => place);
}

test('every optional package that the lock names has an entry, so that npm ci works on every platform', () => {
  expect(missingEntries(LOCK)).toEqual([]);
});

test('the lock names no registry, and every package that all platforms need has a checksum', () => {
  expect(placesWhere((entry) => entry.resolved !== undefined)).toEqual([]);
  expect(placesWhere((entry) => entry.optional !== true && entry.integrity === undefined)).toEqual([]);
});

test('no package runs a script when it is installed', () => {
  expect(placesWhere((entry) => entry.hasInstallScript === true)).toEqual([]);
});

test('every dependency is exact and stands in the lock at that version', () => {
  for (const group of ['dependencies', 'devDependencies', 'optionalDependencies'] as const) {
    for (const [name, wanted] of Object.entries(manifest[group])) {
      // A second version of a package stands under another name: `npm:undici@7.30.2`.
      const version = wanted.replace(/^npm:[a-z@/-]+@/, '');
      expect(version, name).toMatch(EXACT);
      expect(LOCK.packages[`node_modules/${name}`]?.version, name).toBe(version);
      expect(LOCK.packages['']?.[group]?.[name], name).toBe(wanted);
    }
  }
});

test('a Node 24 comes as a package for Linux, Windows and Mac', () => {
  const platforms = Object.keys(manifest.optionalDependencies).map((name) => {
    const { os, cpu, version } = LOCK.packages[`node_modules/${name}`] ?? {};
    return [os, cpu, version?.split('.')[0]].flat().join(' ');
  });
  expect(platforms.sort()).toEqual(
    ['darwin arm64', 'darwin x64', 'linux arm64', 'linux x64', 'win32 x64'].map((platform) => `${platform} 24`),
  );
});

test('a lock that lacks a platform package is completed, and completing it again changes nothing', () => {
  const gap: Lock = {
    name: 'a',
    version: '1.0.0',
    lockfileVersion: 3,
    packages: {
      '': { dependencies: { tool: '1.0.0' } },
      'node_modules/tool': { dev: true, optionalDependencies: { '@tool/linux-arm64-musl': '1.2.3', nested: '1.0.0' } },
      'node_modules/tool/node_modules/nested': { version: '1.0.0' },
    },
  };
  expect(missingEntries(gap)).toEqual([
    { by: 'node_modules/tool', name: '@tool/linux-arm64-musl', version: '1.2.3', dev: true },
  ]);
  const complete = completeLock(gap);
  expect(complete.packages['node_modules/@tool/linux-arm64-musl']).toEqual({
    version: '1.2.3',
    libc: ['musl'],
    os: ['linux'],
    cpu: ['arm64'],
    dev: true,
    optional: true,
  });
  expect(missingEntries(complete)).toEqual([]);
  expect(completeLock(complete)).toEqual(complete);
});
