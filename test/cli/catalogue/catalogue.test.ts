import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { credentialCommands } from '../../../src/cli/catalogue/credential.ts';
import { groups } from '../../../src/cli/catalogue/groups.ts';
import { instanceCommands } from '../../../src/cli/catalogue/instance.ts';
import type { Spec } from '../../../src/cli/catalogue/spec.ts';

const SRC = fileURLToPath(new URL('../../../src/', import.meta.url));

/** Every command with the words that lead to it. */
const COMMANDS: readonly (readonly [words: string, spec: Spec])[] = [
  ...[...instanceCommands, ...credentialCommands].map((spec) => [nameOf(spec), spec] as const),
  ...groups.flatMap(([group, , specs]) => specs.map((spec) => [`${group} ${nameOf(spec)}`, spec] as const)),
];

function nameOf({ name }: Spec): string {
  return name.split(' ')[0] ?? '';
}

function optionsOf({ options = [], lists = [] }: Spec): readonly (readonly [flags: string, about: string])[] {
  return [...options, ...lists];
}

test.each(COMMANDS)('%s has an example that is made of its own words and options', (words, spec) => {
  expect(spec.about).toMatch(/\S/);
  expect(spec.example.startsWith(`keyturn ${words}`)).toBe(true);
  const known = new Set([...optionsOf(spec).flatMap(([flags]) => flags.match(/--[a-z-]+/g) ?? []), ...GLOBAL]);
  for (const flag of spec.example.match(/--[a-z-]+/g) ?? []) expect(known).toContain(flag);
});

const GLOBAL = ['--home', '--connection', '--token-file', '--json'];

test('no command takes a secret as the value of an option or as an argument', () => {
  const suspicious = COMMANDS.flatMap(([words, spec]) => {
    const values = [...optionsOf(spec).map(([flags]) => flags), ...spec.name.split(' ').slice(1)];
    return values.filter((flags) => isSecretValue(flags)).map((flags) => `${words}: ${flags}`);
  });
  expect(suspicious).toEqual([]);
});

/** A value is a file, a field's name, a public log key, the name of a key elsewhere, or a name of something; a switch has no value. */
function isSecretValue(flags: string): boolean {
  const value = /[<[](\S+)[>\]]/.exec(flags)?.[1];
  if (value === undefined || value === 'file' || value === 'field' || value === 'vkey' || value === 'key-name')
    return false;
  return (
    /password|passphrase|secret|token|key\b|credential-value/.test(flags) &&
    !/^--systemd-credential <name>$/.test(flags)
  );
}

test('the rule about secrets can be broken', () => {
  for (const flags of [
    '--password <text>',
    '--token <token>',
    '--secret <value>',
    '<token>',
    '--master-key <base64>',
  ]) {
    expect(isSecretValue(flags)).toBe(true);
  }
  for (const flags of ['--password-file <file>', '--passphrase', '--key <vkey>', '<credential>']) {
    expect(isSecretValue(flags)).toBe(false);
  }
});

test('every command’s code is there', async () => {
  for (const [, { load }] of COMMANDS) expect(typeof (await load()).default).toBe('function');
});

test('the help loads commander and no other room but core and the client’s connection file', () => {
  const reached = reachedFrom(join(SRC, 'cli/main.ts'));
  expect([...reached.packages]).toEqual(['commander']);
  const rooms = new Set([...reached.files].map((path) => relative(SRC, path).split('/')[0]));
  expect(rooms).toEqual(new Set(['audit', 'cli', 'client', 'core']));
  expect([...reached.files].filter((path) => path.includes('/cli/commands/'))).toEqual([]);
  expect(reached.files.size).toBeGreaterThan(10);
});

/** What is loaded with a file: static imports that are not for types alone. */
function reachedFrom(start: string): { files: Set<string>; packages: Set<string> } {
  const files = new Set<string>();
  const packages = new Set<string>();
  const walk = (path: string): void => {
    if (files.has(path)) return;
    expect(existsSync(path), path).toBe(true);
    files.add(path);
    for (const [, clause = '', specifier = ''] of readFileSync(path, 'utf8').matchAll(STATIC)) {
      if (clause.startsWith('type ') || /^\{(\s*type [^,}]+,?)+\s*\}$/.test(clause.trim())) continue;
      if (specifier.startsWith('.')) walk(join(dirname(path), specifier));
      else if (!specifier.startsWith('node:')) packages.add(specifier);
    }
  };
  walk(start);
  return { files, packages };
}

const STATIC = /^(?:import|export)\s+(?:([^'";]+?)\s+from\s+)?'([^']+)'/gm;
