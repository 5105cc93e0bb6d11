import type { Binding, Role } from '../binding.ts';
import { CredentialPattern } from '../credential-pattern.ts';
import type { Expectation, PolicyContent } from '../policy.ts';
import { didYouMean } from './did-you-mean.ts';
import { type Problem, pathText, quoted } from './problem.ts';
import type { ReadFile } from './read-yaml.ts';
import type { PolicyFile } from './schema.ts';

type Section = keyof PolicyFile;
type Item<S extends Section> = NonNullable<PolicyFile[S]>[number];

/** An item with its place. */
interface Placed<S extends Section> {
  readonly item: Item<S>;
  readonly problem: (member: string, what: string, fix: string) => Problem;
}

/** All files as one content: the order of files and of items in them means nothing. */
export function resolve(files: readonly ReadFile[]): PolicyContent | Problem[] {
  const roles = placed(files, 'roles');
  const bindings = placed(files, 'bindings');
  const byName = new Map(roles.map(({ item }) => [item.name, roleOf(item)]));
  const problems = [
    ...repeated(roles, 'name', ({ name }) => name),
    ...repeated(bindings, 'id', ({ id }) => id),
    ...bindings.flatMap((binding) => unknownRole(binding, [...byName.keys()])),
  ];
  if (problems.length > 0) return problems;
  return {
    roles: [...byName.values()],
    bindings: bindings.flatMap(({ item }) => {
      const role = byName.get(item.role);
      return role === undefined ? [] : [bindingOf(item, role)];
    }),
    expectations: placed(files, 'expectations').map(({ item }) => expectationOf(item)),
  };
}

function placed<S extends Section>(files: readonly ReadFile[], section: S): Placed<S>[] {
  return files.flatMap(({ name, content, lineOf }) => {
    const items: readonly Item<S>[] = content[section] ?? [];
    return items.map((item, i) => ({
      item,
      problem: (member: string, what: string, fix: string) => {
        const path = [section, i, member];
        return { file: name, line: lineOf(path), path: pathText(path), what, fix };
      },
    }));
  });
}

function repeated<S extends Section>(list: readonly Placed<S>[], member: string, key: (item: Item<S>) => string) {
  const seen = new Set<string>();
  return list.flatMap(({ item, problem }) => {
    const text = key(item);
    if (!seen.has(text)) {
      seen.add(text);
      return [];
    }
    return [problem(member, `${quoted(text)} is defined twice.`, 'Give one of the two another name, or remove it.')];
  });
}

function unknownRole({ item, problem }: Placed<'bindings'>, known: readonly string[]): Problem[] {
  if (known.includes(item.role)) return [];
  return [problem('role', `There is no role ${quoted(item.role)}.`, didYouMean(item.role, known))];
}

function roleOf({ name, title, permissions }: Item<'roles'>): Role {
  return { name, title, permissions: new Set(permissions) };
}

function bindingOf({ id, principals, credentials, expires, comment }: Item<'bindings'>, role: Role): Binding {
  return {
    id,
    role,
    principals: new Set(principals),
    credentials: credentials.map((text) => CredentialPattern.parse(text)),
    expiresAt: expires === undefined ? null : Date.parse(expires),
    comment,
  };
}

function expectationOf({ principal, permission, credential, expect, at }: Item<'expectations'>): Expectation {
  return { principal, permission, credential, expect, at: at === undefined ? null : Date.parse(at) };
}
