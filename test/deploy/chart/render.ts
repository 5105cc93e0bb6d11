import { globSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import { run } from '../../fakes/programs.ts';
import { ROOT } from '../installed.ts';

export const CHART = join(ROOT, 'charts/keyturn');
export const NAMESPACE = 'payments';

/** Oldest and newest Kubernetes that the chart is tried for, and one between. */
export const KUBERNETES = ['1.27', '1.31', '1.37'] as const;

const VALUES = fileURLToPath(new URL('./values/', import.meta.url));

/** Sets of values, each a way to run it. */
export const SETS = globSync('*.yaml', { cwd: VALUES }).map((name) => basename(name, '.yaml'));

/** Any object of Kubernetes, as far as tests look. */
export interface Resource {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> };
  readonly spec?: Record<string, unknown>;
  readonly data?: Readonly<Record<string, string>>;
  readonly automountServiceAccountToken?: boolean;
}

export function helm(command: readonly string[], set: string, more: readonly string[] = []) {
  return run('helm', [...command, CHART, '--namespace', NAMESPACE, '--values', join(VALUES, `${set}.yaml`), ...more]);
}

/** The text of what would be installed. @throws Error with what helm says. */
export async function renderText(set: string, kubernetes = '1.31', more: readonly string[] = []): Promise<string> {
  const made = await helm(['template', 'keyturn'], set, ['--kube-version', kubernetes, ...more]);
  if (made.exitCode !== 0) throw new Error(made.stderr);
  return made.stdout;
}

export async function render(set: string, more: readonly string[] = []): Promise<Resource[]> {
  return parseAllDocuments(await renderText(set, '1.31', more))
    .map((document) => document.toJS() as Resource | null)
    .filter((resource) => resource !== null);
}

/** The one of this kind. */
export function only(resources: readonly Resource[], kind: string): Resource {
  const [one, ...others] = resources.filter((resource) => resource.kind === kind);
  if (one === undefined || others.length > 0) throw new Error(`There is not exactly one ${kind}.`);
  return one;
}
