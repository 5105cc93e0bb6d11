import { z } from 'zod';
import { NEW_KEYS } from '../../x509/request/new-key.ts';
import { duration } from '../duration.ts';
import { readHours } from './hours.ts';

const role = z.string().min(1).max(100);
const HEADER = /^[a-z0-9!#$%&'*+.^_`|~-]{1,64}$/;
/** RFC 9110 section 7.6.1 and our own: these say where a request goes or how it is framed. */
const FRAMING = new Set(['host', 'connection', 'content-length', 'transfer-encoding', 'te', 'upgrade', 'expect']);

const header = z
  .string()
  .regex(HEADER, 'must be a header name in lower case')
  .refine((name) => !FRAMING.has(name), { message: 'must not be a header that frames the request' });

const SUBJECT_TYPES = ['C', 'ST', 'L', 'O', 'OU', 'CN'] as const;

/** What our own request asks for: where the subject is empty, the credential's name is the common name. */
const request = z.strictObject({
  algorithm: z.enum(NEW_KEYS).default('EC P-256'),
  subject: z
    .array(z.strictObject({ type: z.enum(SUBJECT_TYPES), value: z.string().min(1).max(128) }))
    .max(16)
    .default([]),
  dns: z.array(z.string().max(253)).max(16).default([]),
  uris: z.array(z.string().max(2_000)).max(16).default([]),
});

/** How certificates come to be. */
export const issuance = z.strictObject({
  issuer: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]{0,31}$/, 'must be the name of an issuer')
    .default('manual'),
  key: z.enum(['partner', 'keyturn']).default('partner'),
  live: z.union([z.int().min(1).max(1000), z.literal('any')], { error: 'must be a number or any' }).default(1),
  lifetime: duration.optional(),
  leadTime: duration.optional(),
  portal: z.array(z.string().min(1).max(300)).max(20).default([]),
  request: request.prefault({}),
});

/** How they die. */
export const revocation = z.strictObject({
  by: z.enum(['issuer', 'asking']).default('asking'),
  contact: role.optional(),
  reasons: z.boolean().default(false),
  propagation: duration.default(300),
  deadline: duration.default(86_400),
});

/** Which part of the clients gets a new version first, how long it is watched, and what is too much. */
export const swap = z.strictObject({
  share: z.number().min(0.01).max(0.9),
  for: duration
    .default(600)
    .refine((seconds) => seconds >= 10 && seconds <= 604_800, { message: 'must be between 10s and 7d' }),
  failures: z.int().min(1).max(1_000_000).default(3),
  beyond: z.number().min(0).max(0.99).default(0.01),
});

/** When the partner's people work and a change is welcome. */
export const hours = z
  .strictObject({
    zone: z.string().min(1).max(64),
    days: z
      .array(z.enum(['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun']))
      .min(1)
      .max(7)
      .default(['mon', 'tue', 'wed', 'thu', 'fri']),
    from: z.string().default('09:00'),
    to: z.string().default('17:00'),
    closed: z
      .array(z.strictObject({ from: z.string(), to: z.string(), why: z.string().min(1).max(200) }))
      .max(100)
      .default([]),
  })
  .transform((given, context) => {
    const read = readHours(given);
    if (!('fault' in read)) return read.hours;
    context.addIssue({ code: 'custom', message: read.fault, path: [...read.path] });
    return z.NEVER;
  });

/** A harmless request that tells whether a certificate is accepted. */
export const testRequest = z.strictObject({
  endpoint: z.string().max(300),
  method: z.enum(['GET', 'HEAD', 'POST', 'OPTIONS']).default('GET'),
  path: z.string().regex(/^\/[!-~]{0,1000}$/, 'must be a path that begins with /, in printable ASCII'),
  headers: z.record(header, z.string().regex(/^[\x20-\x7e]{0,500}$/, 'must be printable ASCII')).default({}),
  /** Header → companion secret. */
  companions: z.record(header, z.string()).default({}),
  body: z.string().max(10_000).optional(),
  expect: z.array(z.int().min(200).max(499)).min(1).max(16).default([200]),
  unregistered: z
    .array(z.strictObject({ status: z.int().min(300).max(599), contains: z.string().min(1).max(200).optional() }))
    .max(16)
    .default([]),
  timeout: duration.default(10),
});
