import { KeyturnError } from '../core/errors.ts';

/** The refusal of a profile: which file, where in it (`environments.sandbox.endpoints[0].url`), and what is wrong. */
export function invalidProfile(file: string, path: string, what: string, fix?: string): KeyturnError {
  const where = path === '' ? file : `${file}: ${path}`;
  return new KeyturnError('profile_invalid', `The partner profile ${where} ${what}.`, {
    fix: fix ?? 'Correct the file; docs/formats/partner-profile.md describes every member.',
    facts: { file, path },
  });
}
