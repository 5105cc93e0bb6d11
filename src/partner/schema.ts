import { z } from 'zod';
import { readOrigin } from './endpoint.ts';
import { hours, issuance, revocation, swap, testRequest } from './lifecycle/schema.ts';

const NAME = /^[a-z0-9](?:[a-z0-9_-]|\.(?!\.)){0,63}$/;

const name = z.string().regex(NAME, 'must be 1 to 64 lower-case letters, digits, dots, hyphens or underscores');

/** A file beside the profile: no folder, no way up. */
const file = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,99}\.(?:pem|crt|cer)$/, {
  message: 'must be the name of a .pem, .crt or .cer file in the folder of the profile',
});

const fingerprint = z.string().regex(/^[0-9a-f]{64}$/, 'must be a SHA-256 fingerprint: 64 lower-case hex digits');

const endpoint = z.strictObject({
  url: z
    .string()
    .max(300)
    .superRefine((text, context) => {
      const origin = readOrigin(text);
      if ('fault' in origin) context.addIssue({ code: 'custom', message: origin.fault });
    }),
  mtls: z.boolean(),
});

const issuerChain = z.discriminatedUnion('source', [
  z.strictObject({ source: z.literal('upload'), sha256: z.array(fingerprint).min(1).max(16).optional() }),
  z.strictObject({ source: z.literal('file'), file }),
]);

const pinned = { source: z.literal('issuer-chain').optional(), file: file.optional() };

const serverTrust = z
  .discriminatedUnion('mode', [
    z.strictObject({ mode: z.literal('system') }),
    z.strictObject({ mode: z.literal('pinned'), ...pinned }),
    z.strictObject({ mode: z.literal('both'), ...pinned }),
  ])
  .refine((trust) => trust.mode === 'system' || (trust.source === undefined) !== (trust.file === undefined), {
    message: 'must have either "source: issuer-chain" or "file", for roots to pin',
  });

const refusal = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('alert') }),
  z.strictObject({ kind: z.literal('close') }),
  z.strictObject({ kind: z.literal('status'), status: z.int().min(400).max(599) }),
]);

const environment = z.strictObject({
  endpoints: z
    .array(endpoint)
    .min(1)
    .max(32)
    .refine((list) => new Set(list.map(({ url }) => new URL(url).host)).size === list.length, {
      message: 'must name each host once',
      when: ({ issues }) => issues.length === 0,
    }),
  issuerChain,
  serverTrust,
  refusals: z.array(refusal).max(16).default([]),
  companions: z.array(name).max(16).default([]),
  issuance: issuance.prefault({}),
  revocation: revocation.prefault({}),
  hours: hours.optional(),
  test: testRequest.optional(),
  swap: swap.optional(),
});

const contact = z.strictObject({
  role: z.string().min(1).max(100),
  name: z.string().max(200).optional(),
  email: z.email().optional(),
  url: z.url({ protocol: /^https$/ }).optional(),
});

/** One file of `policies/partners/`, see `docs/formats/partner-profile.md`. Unknown members are refused. */
export const profileSchema = z.strictObject({
  partner: name,
  title: z.string().min(1).max(200),
  contacts: z.array(contact).max(16).default([]),
  environments: z
    .record(name, environment)
    .refine((all) => Object.keys(all).length > 0, { message: 'must hold at least one environment' }),
});

export type ProfileDocument = z.infer<typeof profileSchema>;
export type EnvironmentDocument = z.infer<typeof environment>;
