import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadPolicy, parsePolicy } from '../../../src/access/policy-files/load.ts';
import { principalOf } from '../../../src/access/principal.ts';
import { isKeyturnError, type KeyturnError } from '../../../src/core/errors.ts';

const NOW = Date.parse('2026-11-23T10:00:00Z');
const clock = { now: () => NOW, monotonic: () => 0 };

const ROLES = `
roles:
  - { name: service, title: Borrows, permissions: ['credential:lease'] }
  - { name: operator, title: Operates, permissions: ['credential:list', 'credential:import'] }
`;
const BINDINGS = `
bindings:
  - { id: one, role: service, principals: ['service:payments'], credentials: ['lean/*'], comment: Calls Lean }
  - { id: two, role: operator, principals: ['person:alice'], credentials: ['**'], expires: 2027-01-01T00:00:00+01:00, comment: Runs it }
`;
const EXPECTATIONS = `
expectations:
  - { principal: 'service:payments', permission: 'credential:lease', credential: lean/sandbox, expect: allow }
  - { principal: 'service:payments', permission: 'credential:reveal', credential: lean/sandbox, expect: deny }
`;

function parse(...texts: string[]) {
  return parsePolicy(
    texts.map((text, i) => ({ name: `${i}.yaml`, text })),
    NOW,
  );
}

function refused(act: () => unknown): KeyturnError {
  try {
    act();
  } catch (error) {
    if (isKeyturnError(error, 'policy_invalid')) return error;
    throw error;
  }
  throw new Error('The policy was accepted.');
}

/** One binding as YAML with a member changed. */
function withBinding(change: Record<string, unknown>): string {
  const binding = {
    id: 'one',
    role: 'service',
    principals: ['service:payments'],
    credentials: ['lean/*'],
    comment: 'Calls Lean',
    ...change,
  };
  return JSON.stringify({ bindings: [binding] });
}

describe('a file that is empty', () => {
  it.each(['', '\n  \n'])('is refused, since its bindings would be gone (%j)', (text) => {
    expect(refused(() => parse(ROLES, text)).message).toContain('1.yaml: It is empty.');
  });

  it('is another one than a list that is, or a remark alone', () => {
    for (const text of ['bindings: []', '# none yet']) expect(() => parse(ROLES, text)).not.toThrow();
  });
});

describe('a policy', () => {
  it('means the same in one file or many, in any order', () => {
    const one = parse(ROLES + BINDINGS + EXPECTATIONS);
    const many = parse(EXPECTATIONS, BINDINGS, ROLES, '# nothing yet\n');
    expect(many.digest).toBe(one.digest);
    expect(one.bindings.map(({ id, expiresAt }) => [id, expiresAt])).toEqual([
      ['one', null],
      ['two', Date.parse('2026-12-31T23:00:00Z')],
    ]);
    const question = { principal: principalOf('service:payments'), permission: 'credential:lease' } as const;
    expect(one.decide({ ...question, credential: 'lean/sandbox', now: NOW })).toMatchObject({
      allow: true,
      rule: 'one',
    });
    expect(one.decide({ ...question, credential: 'acme/sandbox', now: NOW }).allow).toBe(false);
  });

  it('has a digest that tells every change of its rules', () => {
    const base = parse(ROLES, BINDINGS).digest;
    expect(parse(`${ROLES} # a remark`, BINDINGS).digest).toBe(base);
    expect(parse(ROLES, BINDINGS.replace('lean/*', 'lean/**')).digest).not.toBe(base);
    expect(parse(ROLES, BINDINGS, EXPECTATIONS).digest).not.toBe(base);
  });

  it('has the digest that the format page defines', () => {
    const canonical =
      '[[{"name":"service","permissions":["credential:lease"],"title":"Borrows"}],' +
      '[{"comment":"Calls Lean","credentials":["lean/*"],"expiresAt":1798758000000,"id":"one",' +
      '"principals":["person:a","service:b"],"role":"service"}],[]]';
    const policy = parse(
      `roles: [{ name: service, title: Borrows, permissions: ['credential:lease'] }]`,
      withBinding({ principals: ['service:b', 'person:a'], expires: '2027-01-01T00:00:00+01:00' }),
    );
    expect(policy.digest).toBe(createHash('sha256').update(canonical).digest('hex'));
  });

  it('is refused with the file, line and place of each problem, and the way out', () => {
    const error = refused(() => parse(ROLES, BINDINGS.replace('role: operator', 'role: operater')));
    expect(error.message).toBe(
      'The access policy is refused, for one problem:\n' +
        '  1.yaml:4 bindings[1].role: There is no role "operater". Did you mean "operator"?',
    );
    expect(error.fix).toBe('Did you mean "operator"?');
    expect(error.facts).toEqual({ problems: 1, file: '1.yaml', line: 4, path: 'bindings[1].role' });
  });

  it('tells all problems of all files at once', () => {
    const error = refused(() => parse(ROLES.replace('Borrows', '""'), withBinding({ comment: undefined, rule: 'x' })));
    expect(error.facts['problems']).toBe(3);
    expect(error.message).toContain('0.yaml:3 roles[0].title');
    expect(error.message).toContain('1.yaml:1 bindings[0].comment: It is missing.');
    expect(error.message).toContain('There is no member "rule" here. Did you mean "role"?');
  });

  it.each<[string, Record<string, unknown>, string]>([
    ['a role of another case', { role: 'Service' }, 'There is no role "Service". Did you mean "service"?'],
    ['a full-width role', { role: 'ｓervice' }, 'There is no role "\\u{ff53}ervice". Did you mean "service"?'],
    ['a role with a space', { role: 'service ' }, 'There is no role "service ". Did you mean "service"?'],
    ['a principal with a space at its edge', { principals: ['service:payments '] }, 'bindings[0].principals[0]'],
    ['a principal in another case', { principals: ['Service:payments'] }, 'bindings[0].principals[0]'],
    ['a principal that is a pattern', { principals: ['service:*'] }, 'bindings[0].principals[0]'],
    ['a principal twice', { principals: ['service:a', 'service:a'] }, 'must not say the same thing twice'],
    ['no principal', { principals: [] }, 'bindings[0].principals: It is empty.'],
    ['no pattern', { credentials: [] }, 'bindings[0].credentials: It is empty.'],
    ['an empty pattern', { credentials: [''] }, '"" is empty.'],
    ['a pattern in another case', { credentials: ['Lean/*'] }, 'bindings[0].credentials[0]'],
    ['a pattern that matches nothing', { credentials: ['lean'] }, 'can match no name'],
    ['a pattern with ** inside', { credentials: ['**/x'] }, 'has ** before its end'],
    ['a text in place of a list', { credentials: 'lean/*' }, 'It is of another kind. Write a list.'],
    ['a day that does not exist', { expires: '2026-02-30T00:00:00Z' }, 'is no instant that exists'],
    ['an expiry without a time zone', { expires: '2026-02-20T00:00:00' }, 'must be like 2026-12-31T23:59:59Z'],
    ['an expiry that is a number', { expires: 1_800_000_000 }, 'It is of another kind. Write a text.'],
    ['no comment', { comment: undefined }, 'bindings[0].comment: It is missing.'],
    ['a blank comment', { comment: '  ' }, 'bindings[0].comment'],
    ['a comment of two lines', { comment: 'a\nb' }, 'bindings[0].comment'],
    ['an id that is a verdict', { id: 'default-deny' }, 'is the name of a verdict'],
    ['an id in another case', { id: 'One' }, 'bindings[0].id'],
  ])('is refused for %s', (_what, change, words) => {
    expect(refused(() => parse(ROLES, withBinding(change))).message).toContain(words);
  });

  it.each([
    ['a binding id twice, even across files', ROLES, BINDINGS, BINDINGS.replace('id: two', 'id: three')],
    ['a role twice', ROLES, ROLES],
    ['an unknown permission', ROLES.replace('credential:lease', 'credential:leese')],
    ['a permission of another case', ROLES.replace('credential:lease', 'Credential:lease')],
    ['a role name of another case', ROLES.replace('name: service', 'name: Service')],
    ['a member of another case', ROLES.replace('roles:', 'Roles:')],
    ['an unknown section', `${ROLES}\ngroups: []\n`],
    ['a list', '- roles'],
    ['a text', 'roles'],
    ['broken YAML', 'roles: [1'],
    ['a member twice', 'roles: []\nroles: []'],
    ['two documents', 'roles: []\n---\nroles: []'],
    ['an alias', 'roles: &a []\nbindings: *a'],
    ['an unknown tag', 'roles: !secret []'],
    ['a key that is no text', '? [a]\n: b'],
    ['a prototype', '{"__proto__": {"roles": []}}'],
    ['an expectation on a pattern', ROLES, EXPECTATIONS.replace('lean/sandbox', 'lean/*')],
    ['an expectation without a credential', ROLES, EXPECTATIONS.replace('credential: lean/sandbox,', '')],
  ])('is refused for %s', (_what, ...texts) => {
    refused(() => parse(...texts));
  });

  it('suggests the permission that was meant', () => {
    const error = refused(() => parse(ROLES.replace('credential:lease', 'credential:leese')));
    expect(error.message).toContain('There is no "credential:leese". Did you mean "credential:lease"?');
  });

  it('puts no line of a file that is not a policy into a message', () => {
    const canary = 'MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7canary';
    for (const text of [
      `-----BEGIN PRIVATE KEY-----\n${canary}\n`,
      `key: ${canary}`,
      `${canary}: 1`,
      `{"roles": "${'x'.repeat(40)}${canary}"}`,
      `roles: [${canary}`,
      `roles: [{name: "${'x'.repeat(40)}${canary}"}]`,
    ]) {
      expect(refused(() => parse(text)).message).not.toContain('canary');
    }
  });

  it('lists twenty problems and counts the rest', () => {
    const bad = JSON.stringify({ bindings: Array.from({ length: 30 }, () => ({ id: 'X' })) });
    const error = refused(() => parse(bad));
    expect(error.message.split('\n')).toHaveLength(22);
    expect(error.message).toContain(`and ${Number(error.facts['problems']) - 20} more`);
  });

  it('is a policy or a refusal, whatever the text', () => {
    const text = fc.oneof(
      fc.string(),
      fc.json(),
      fc.record({ roles: fc.anything(), bindings: fc.anything() }).map((data) => JSON.stringify(data)),
    );
    fc.assert(
      fc.property(text, (any) => {
        try {
          parse(any);
        } catch (error) {
          expect(isKeyturnError(error, 'policy_invalid')).toBe(true);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('the expectations of a policy', () => {
  it('keep it from coming into force, each failing one listed', () => {
    const wrong = EXPECTATIONS.replace('expect: allow', 'expect: deny').replace(
      "'credential:reveal', credential: lean/sandbox, expect: deny",
      "'credential:import', credential: lean/sandbox, expect: allow",
    );
    const error = refused(() => parse(ROLES, BINDINGS, wrong));
    expect(error.facts['problems']).toBe(2);
    expect(error.message).toContain(
      '2.yaml:3 expectations[0]: Expected deny for service:payments credential:lease on lean/sandbox, got allow by one.',
    );
    expect(error.message).toContain(
      '2.yaml:4 expectations[1]: Expected allow for service:payments credential:import on lean/sandbox, got deny by person-only.',
    );
  });

  it('are tried at the instant they name', () => {
    const at = (time: string, expect: string) =>
      `expectations: [{ principal: 'person:alice', permission: 'credential:list', credential: null, expect: ${expect}, at: ${time} }]`;
    expect(parse(ROLES, BINDINGS, at('2026-12-31T22:59:59Z', 'allow')).bindings).toHaveLength(2);
    expect(parse(ROLES, BINDINGS, at('2026-12-31T23:00:01Z', 'deny')).bindings).toHaveLength(2);
    refused(() => parse(ROLES, BINDINGS, at('2026-12-31T23:00:01Z', 'allow')));
  });

  it('must name an instant when they rest on a binding that ends, or a start would fail on that day', () => {
    const error = refused(() =>
      parse(
        ROLES,
        BINDINGS,
        "expectations: [{ principal: 'person:alice', permission: 'credential:list', credential: null, expect: allow }]",
      ),
    );
    expect(error.message).toContain('rests on two, which ends. Say with "at" when it is to hold.');
  });
});

describe('a folder of policy files', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'keyturn-policy-'));
  });
  afterEach(async () => {
    await rm(folder, { recursive: true, force: true });
  });
  const write = (name: string, content: string | Buffer) => writeFile(join(folder, name), content);

  it('is one policy, whatever else lies in it', async () => {
    await write('roles.yaml', ROLES);
    await write('bindings.yaml', BINDINGS);
    await write('expectations.yaml', EXPECTATIONS);
    await write('README.md', 'roles: nonsense');
    await write('.roles.yaml', 'roles: an editor left this');
    await mkdir(join(folder, 'below'));
    expect((await loadPolicy(folder, clock)).digest).toBe(parse(ROLES, BINDINGS, EXPECTATIONS).digest);
  });

  it.each<[string, () => Promise<unknown>]>([
    ['holds no policy file', async () => undefined],
    ['holds a file that would be overlooked', () => write('bindings.yml', BINDINGS)],
    ['holds a file with an upper-case ending', () => write('bindings.YAML', BINDINGS)],
    ['holds a folder with a file name', () => mkdir(join(folder, 'bindings.yaml'))],
    ['holds octets that are not UTF-8', () => write('bindings.yaml', Buffer.from([0x72, 0xff, 0xfe]))],
    ['holds a file that is too large', () => write('bindings.yaml', '#'.repeat(1_048_577))],
    ['holds one bad file among good ones', () => write('x.yaml', 'roles: 5')],
  ])('is refused when it %s', async (what, make) => {
    if (what !== 'holds no policy file') await write('roles.yaml', ROLES);
    await make();
    await expect(loadPolicy(folder, clock)).rejects.toMatchObject({ code: 'policy_invalid' });
  });

  it('is refused when there is none', async () => {
    await expect(loadPolicy(join(folder, 'nowhere'), clock)).rejects.toMatchObject({
      code: 'policy_invalid',
      fix: 'Name the folder of the policy.',
    });
  });
});
