import { parseDocument } from 'yaml';
import type { z } from 'zod';
import { invalidProfile } from './invalid.ts';
import { type ProfileDocument, profileSchema } from './schema.ts';

/**
 * Reads the text of one profile. YAML 1.2 without aliases or custom tags, each member once.
 * @throws KeyturnError `profile_invalid`, naming the line or the path.
 */
export function parseProfile(file: string, text: string): ProfileDocument {
  const result = profileSchema.safeParse(parseYaml(file, text));
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw invalidProfile(
    file,
    issue === undefined ? '' : pathOf(issue),
    issue === undefined ? 'is invalid' : what(issue),
  );
}

function parseYaml(file: string, text: string): unknown {
  const document = parseDocument(text, { schema: 'core', uniqueKeys: true, strict: true, stringKeys: true });
  const problem = document.errors[0] ?? document.warnings[0];
  if (problem !== undefined) {
    const line = problem.linePos?.[0].line;
    throw invalidProfile(file, line === undefined ? '' : `line ${line}`, `is not valid YAML (${problem.code})`);
  }
  try {
    return document.toJS({ maxAliasCount: 0 });
  } catch {
    throw invalidProfile(file, '', 'uses YAML aliases, which are not read');
  }
}

/** `environments.sandbox.endpoints[0].url`, down to the first unknown member. */
function pathOf(issue: z.core.$ZodIssue): string {
  const unknown = issue.code === 'unrecognized_keys' ? issue.keys.slice(0, 1) : [];
  return [...issue.path, ...unknown]
    .map((step) => (typeof step === 'number' ? `[${step}]` : `.${String(step)}`))
    .join('')
    .replace(/^\./, '');
}

function what(issue: z.core.$ZodIssue): string {
  if (issue.code === 'unrecognized_keys') return 'is not a member that is known';
  if (issue.code === 'invalid_type')
    return issue.input === undefined ? `is missing or not ${issue.expected}` : `is not ${issue.expected}`;
  return /^(?:must|is) /.test(issue.message) ? issue.message : `is not accepted: ${issue.message}`;
}
