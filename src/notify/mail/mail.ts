import { readFile } from 'node:fs/promises';
import { createTransport } from 'nodemailer';
import type SMTPTransport from 'nodemailer/lib/smtp-transport/index.js';
import type { Delivery, Notice, Notifier, TestNotice } from '../notifier.ts';
import { readSecretFile } from '../secret-file.ts';
import { subjectOf, textOf } from './text.ts';

export interface MailOptions {
  readonly host: string;
  readonly port: number;
  /** `starttls`: upgraded, or nothing is sent. `implicit`: TLS from the first octet. `none`: to a loopback address alone. */
  readonly tls: 'starttls' | 'implicit' | 'none';
  /** PEM file of the authorities that may have signed the server's certificate. Default: those that Node ships. */
  readonly caFile?: string;
  readonly user?: string;
  readonly passwordFile?: string;
  readonly from: string;
  /** Addresses by owner of a task; `default` for all others. */
  readonly to: Readonly<Record<string, readonly string[]>>;
  /** Told as well of what is overdue. */
  readonly escalateTo: readonly string[];
  readonly timeoutMs: number;
}

/** Sends each notice as a mail of plain text, over a connection of its own. */
export class Mail implements Notifier {
  readonly name = 'mail';
  readonly #options: MailOptions;

  constructor(options: MailOptions) {
    this.#options = options;
  }

  async send(notice: Notice | TestNotice, signal: AbortSignal): Promise<Delivery> {
    const to = this.#recipientsOf(notice);
    let settings: SMTPTransport.Options;
    try {
      settings = await this.#settings();
    } catch {
      return { sent: false, cause: 'password-file or ca', again: false };
    }
    const transport = createTransport(settings);
    const timer = AbortSignal.any([signal, AbortSignal.timeout(this.#options.timeoutMs)]);
    const cut = Promise.withResolvers<Delivery>();
    timer.addEventListener('abort', () => cut.resolve({ sent: false, cause: 'timeout', again: !signal.aborted }), {
      once: true,
    });
    try {
      return await Promise.race([cut.promise, deliver(transport, this.#message(notice, to))]);
    } finally {
      transport.close();
    }
  }

  #recipientsOf(notice: Notice | TestNotice): string[] {
    const { owner } = notice;
    const escalated = notice.stage !== 'test' && notice.escalated;
    const { to, escalateTo } = this.#options;
    const own = (Object.hasOwn(to, owner) ? to[owner] : to['default']) ?? [];
    return [...new Set([...own, ...(escalated ? escalateTo : [])])];
  }

  #message(notice: Notice | TestNotice, to: string[]): SMTPTransport.MailOptions {
    const { from } = this.#options;
    const domain = /@([^>@\s]+)>?$/.exec(from)?.[1] ?? 'keyturn';
    return {
      from,
      to,
      subject: subjectOf(notice),
      text: textOf(notice),
      // The same when it is sent again: mail servers and readers can tell.
      messageId: `<${notice.id}@${domain}>`,
      // RFC 3834 section 5: nobody's holiday note answers.
      headers: { 'auto-submitted': 'auto-generated' },
    };
  }

  async #settings(): Promise<SMTPTransport.Options> {
    const { host, port, tls, caFile, user, passwordFile, timeoutMs } = this.#options;
    const password = passwordFile === undefined ? null : await readSecretFile(passwordFile, 1);
    const pass = password?.toString('utf8') ?? '';
    password?.fill(0);
    return {
      host,
      port,
      secure: tls === 'implicit',
      requireTLS: tls === 'starttls',
      ignoreTLS: tls === 'none',
      tls: { minVersion: 'TLSv1.2', ...(caFile === undefined ? {} : { ca: await readFile(caFile, 'utf8') }) },
      ...(user === undefined ? {} : { auth: { user, pass } }),
      connectionTimeout: timeoutMs,
      greetingTimeout: timeoutMs,
      socketTimeout: timeoutMs,
      // What a message names is never fetched or read.
      disableFileAccess: true,
      disableUrlAccess: true,
    };
  }
}

type Transport = ReturnType<typeof createTransport>;

async function deliver(transport: Transport, message: SMTPTransport.MailOptions): Promise<Delivery> {
  try {
    const { rejected } = await transport.sendMail(message);
    return rejected.length === 0
      ? { sent: true }
      : { sent: true, short: `not to ${rejected.map(addressOf).join(', ')}` };
  } catch (error) {
    return failureOf(error);
  }
}

function addressOf(rejected: string | { readonly address: string }): string {
  return typeof rejected === 'string' ? rejected : rejected.address;
}

/** Codes are nodemailer's, statuses SMTP's (RFC 5321 section 4.2.1: 5yz is for good). What the server says is not told. */
function failureOf(error: unknown): Delivery {
  const { code, responseCode } = error as { readonly code?: string; readonly responseCode?: number };
  const status = responseCode === undefined ? '' : ` (${responseCode})`;
  const again = code !== 'EAUTH' && (responseCode === undefined || responseCode < 500);
  return { sent: false, cause: `${code ?? 'unreachable'}${status}`, again };
}
