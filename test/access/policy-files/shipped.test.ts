import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { isAboutNoCredential, isPersonOnly, PERMISSIONS } from '../../../src/access/permission.ts';
import { loadPolicy } from '../../../src/access/policy-files/load.ts';
import { policyFile } from '../../../src/access/policy-files/schema.ts';

const folder = join(import.meta.dirname, '../../../policies/access');

describe('the policy that is shipped', () => {
  it('loads, and gives nobody anything', async () => {
    const policy = await loadPolicy(folder);
    expect(policy.bindings).toEqual([]);
    expect(policy.expectations.length).toBeGreaterThan(0);
    expect(policy.expectations.every(({ expect: verdict }) => verdict === 'deny')).toBe(true);
  });

  it('has no role that can reveal a key', async () => {
    const { roles } = await loadPolicy(folder);
    expect(roles.filter(({ permissions }) => permissions.has('credential:reveal'))).toEqual([]);
  });

  it('has these roles with these permissions, and every permission but reveal is in one', async () => {
    const { roles } = await loadPolicy(folder);
    const table = Object.fromEntries(roles.map(({ name, permissions }) => [name, [...permissions].sort().join(' ')]));
    expect(table).toEqual({
      service: 'credential:lease',
      operator:
        'companion:write credential:destroy credential:import credential:list credential:promote credential:retire ' +
        'credential:rotate ' +
        'hold:list hold:place notify:test store:migrate',
      responder: 'audit:read credential:list hold:list hold:place',
      approver: 'credential:list hold:lift hold:list',
      auditor: 'audit:read credential:list hold:list token:list',
      administrator:
        'audit:read credential:list metrics:read notify:test policy:reload token:create token:list token:revoke',
      backup: 'backup:take',
    });
    const given = new Set(roles.flatMap(({ permissions }) => [...permissions]));
    expect(PERMISSIONS.filter((permission) => !given.has(permission))).toEqual(['credential:reveal']);
  });

  it('separates who lifts a freeze from who gives out tokens or places keys', async () => {
    const { roles } = await loadPolicy(folder);
    for (const { permissions } of roles) {
      if (!permissions.has('hold:lift')) continue;
      expect(permissions.has('token:create') || permissions.has('credential:import')).toBe(false);
    }
  });

  it('comes with a JSON Schema for editors that says what the loader says', async () => {
    const schema: unknown = JSON.parse(await readFile(join(folder, 'policy.schema.json'), 'utf8'));
    expect(schema).toEqual(JSON.parse(JSON.stringify(z.toJSONSchema(policyFile))));
  });

  it('is told by the format page with the same permissions, person by person and ** by **', async () => {
    const page = await readFile(join(folder, '../../docs/formats/policy.md'), 'utf8');
    const rows = [...page.matchAll(/^\| (`[a-z]+:[a-z]+`(?:, `[a-z]+:[a-z]+`)*) \|.*\| *(yes)? *\| *(yes)? *\|$/gm)];
    const told = rows.flatMap(([, names = '', person, everything]) =>
      names.split(', ').map((name) => [name.slice(1, -1), person === 'yes', everything === 'yes']),
    );
    const sort = (list: unknown[][]) => list.toSorted((a, b) => (String(a[0]) < String(b[0]) ? -1 : 1));
    expect(sort(told)).toEqual(sort(PERMISSIONS.map((name) => [name, isPersonOnly(name), isAboutNoCredential(name)])));
  });
});
