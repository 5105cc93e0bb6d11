import { z } from 'zod';
import { isCredentialName } from '../credential-name.ts';
import { whatIsWrong } from '../credential-pattern.ts';
import { PERMISSIONS } from '../permission.ts';
import { principalOf } from '../principal.ts';

/** Names of verdicts that are no binding's. */
const RESERVED_IDS = new Set(['default-deny', 'binding-expired', 'person-only']);

const line = (most: number) =>
  z
    .string()
    .regex(/^(?=.*\S)[^\p{C}]*$/u, 'must be one line of text that is not blank')
    .max(most);

const roleName = z.string().regex(/^[a-z][a-z0-9-]{0,39}$/, 'must be lower-case letters, digits and hyphens');

const bindingId = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, 'must be lower-case letters, digits, dots, hyphens and underscores')
  .refine((id) => !RESERVED_IDS.has(id), 'is the name of a verdict of the server itself');

const principal = z
  .string()
  .refine(isPrincipal, 'must be service:NAME or person:NAME, in lower case, without spaces or patterns');

const pattern = z.string().superRefine((text, context) => {
  const wrong = whatIsWrong(text);
  if (wrong !== null) context.addIssue({ code: 'custom', message: wrong });
});

const credential = z
  .string()
  .refine(isCredentialName, 'must be the name of one credential, partner/environment, in its one spelling');

// RFC 3339 section 5.6, date-time: seconds and an offset are needed.
const instant = z
  .string()
  .regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,3})?(?:Z|[+-]\d\d:\d\d)$/, {
    error: 'must be like 2026-12-31T23:59:59Z',
    abort: true,
  })
  .refine((text) => z.iso.datetime({ offset: true }).safeParse(text).success, 'is no instant that exists');

const role = z.strictObject({
  name: roleName,
  title: line(200),
  permissions: distinct(z.enum(PERMISSIONS)),
});

const binding = z.strictObject({
  id: bindingId,
  role: z.string(),
  principals: distinct(principal),
  credentials: distinct(pattern),
  expires: instant.optional(),
  comment: line(500),
});

const expectation = z.strictObject({
  principal,
  permission: z.enum(PERMISSIONS),
  credential: credential.nullable(),
  expect: z.enum(['allow', 'deny']),
  at: instant.optional(),
});

/** One policy file; docs/formats/policy.md tells what each member means. */
export const policyFile = z.strictObject({
  roles: z.array(role).max(200).optional(),
  bindings: z.array(binding).max(10_000).optional(),
  expectations: z.array(expectation).max(10_000).optional(),
});
export type PolicyFile = z.infer<typeof policyFile>;

function distinct<T extends z.ZodType<string>>(item: T) {
  return z
    .array(item)
    .min(1)
    .max(1_000)
    .refine((list) => new Set(list).size === list.length, 'must not say the same thing twice');
}

function isPrincipal(text: string): boolean {
  try {
    return principalOf(text).id === text;
  } catch {
    return false;
  }
}
