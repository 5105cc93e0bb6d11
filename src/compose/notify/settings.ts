import { z } from 'zod';
import type { MailOptions } from '../../notify/mail/mail.ts';
import type { WebhookOptions } from '../../notify/webhook/webhook.ts';
import { duration } from '../../partner/duration.ts';
import { given } from '../settings/given.ts';
import { type AbsolutePath, path } from '../settings/path.ts';

const MOST_TIMEOUT_SECONDS = 60;
const timeout = duration.refine((seconds) => seconds <= MOST_TIMEOUT_SECONDS, { error: 'must be a minute at most' });

const webhook = z.strictObject({
  url: z.url().refine(isHttpsOrLoopback, { error: 'is neither https nor http to a loopback address' }),
  'secret-file': path,
  ca: path.optional(),
  timeout: timeout.optional(),
});

/** One address, or `Name <address>`. Line ends would begin another header. */
const mailbox = z
  .string()
  .max(320)
  .regex(/^(?:[^<>@\r\n]+ <[^\s<>@]+@[^\s<>@]+>|[^\s<>@]+@[^\s<>@]+)$/, { error: 'is no mail address' });
const mailboxes = z.array(mailbox).min(1).max(20);

const mail = z
  .strictObject({
    host: z.string().min(1).max(253),
    port: z.int().min(1).max(65_535).optional(),
    tls: z.enum(['starttls', 'implicit', 'none']).default('starttls'),
    ca: path.optional(),
    user: z.string().min(1).max(200).optional(),
    'password-file': path.optional(),
    from: mailbox,
    to: z
      .record(z.string().min(1).max(120), mailboxes)
      .refine((to) => 'default' in to, { error: 'names nobody under default, for tasks of all others' }),
    'escalate-to': mailboxes.optional(),
    timeout: timeout.optional(),
  })
  .refine(({ tls, host }) => tls !== 'none' || isLoopback(host), {
    path: ['tls'],
    error: 'none is for a loopback address alone',
  })
  .refine((given) => (given.user === undefined) === (given['password-file'] === undefined), {
    path: ['user'],
    error: 'user and password-file go together',
  });

/** Who is told of tasks, and how; `docs/formats/reminder.md` says more. */
export const notify = z.strictObject({ webhook: webhook.optional(), mail: mail.optional() });

export interface NotifySetting {
  readonly webhook: Omit<WebhookOptions, 'clock'> | null;
  readonly mail: MailOptions | null;
}

const WEBHOOK_TIMEOUT_SECONDS = 10;
const MAIL_TIMEOUT_SECONDS = 20;
/** RFC 6409 and RFC 8314 name the first two. */
const PORTS = { starttls: 587, implicit: 465, none: 25 } as const;

export function notifySetting(data: z.infer<typeof notify>, at: AbsolutePath): NotifySetting {
  return {
    webhook: data.webhook === undefined ? null : webhookSetting(data.webhook, at),
    mail: data.mail === undefined ? null : mailSetting(data.mail, at),
  };
}

function webhookSetting(data: z.infer<typeof webhook>, at: AbsolutePath): Omit<WebhookOptions, 'clock'> {
  return {
    url: new URL(data.url),
    secretFile: at(data['secret-file']),
    timeoutMs: (data.timeout ?? WEBHOOK_TIMEOUT_SECONDS) * 1000,
    ...given({ caFile: data.ca === undefined ? undefined : at(data.ca) }),
  };
}

function mailSetting(data: z.infer<typeof mail>, at: AbsolutePath): MailOptions {
  const { host, tls, user, from, to, 'password-file': passwordFile } = data;
  return {
    host,
    port: data.port ?? PORTS[tls],
    tls,
    from,
    to,
    escalateTo: data['escalate-to'] ?? [],
    timeoutMs: (data.timeout ?? MAIL_TIMEOUT_SECONDS) * 1000,
    ...given({
      caFile: data.ca === undefined ? undefined : at(data.ca),
      user,
      passwordFile: passwordFile === undefined ? undefined : at(passwordFile),
    }),
  };
}

function isHttpsOrLoopback(text: string): boolean {
  const url = URL.parse(text);
  if (url === null) return false;
  // A name and password in a URL are shown wherever the URL is.
  if (url.username !== '' || url.password !== '') return false;
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url.hostname));
}

function isLoopback(host: string): boolean {
  return ['localhost', '::1', '[::1]'].includes(host) || /^127(?:\.[0-9]{1,3}){3}$/.test(host);
}
