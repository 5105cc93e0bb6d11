import type { AddressInfo } from 'node:net';
import { SMTPServer } from 'smtp-server';
import { TestCa } from '../ca.ts';

export interface ReceivedMail {
  readonly from: string;
  readonly to: readonly string[];
  readonly secure: boolean;
  readonly user: string | null;
  /** Headers and body as they came. */
  readonly raw: string;
}

export interface MailboxOptions {
  /** Whoever has not this name and password gets nothing through. */
  readonly user?: string;
  readonly password?: string;
  /** TLS from the first octet. Default: STARTTLS is offered. */
  readonly implicit?: boolean;
  /** Offers no STARTTLS. */
  readonly plain?: boolean;
}

/** A real SMTP server that keeps what it gets. */
export class Mailbox {
  readonly received: ReceivedMail[] = [];
  readonly ca: string;
  /** Answers the next messages with this status instead of taking them; 0 takes them. */
  refuse = 0;
  /** Addresses that it takes nothing for (550). */
  readonly unknown = new Set<string>();
  readonly #server: SMTPServer;

  private constructor(ca: string, server: (mailbox: Mailbox) => SMTPServer) {
    this.ca = ca;
    this.#server = server(this);
  }

  static async start(options: MailboxOptions = {}): Promise<Mailbox> {
    const ca = await TestCa.create();
    const { keyPem, certificatePem } = await ca.server();
    const mailbox = new Mailbox(ca.certificatePem, (self) => {
      return new SMTPServer({
        key: keyPem,
        cert: certificatePem,
        secure: options.implicit ?? false,
        authOptional: options.user === undefined,
        disabledCommands: [
          ...(options.user === undefined ? ['AUTH'] : []),
          ...(options.plain === true ? ['STARTTLS'] : []),
        ],
        onAuth({ username, password }, _session, done) {
          if (username === options.user && password === options.password) done(null, { user: username });
          else done(new Error('no such user'));
        },
        onRcptTo({ address }, _session, done) {
          if (self.unknown.has(address)) done(Object.assign(new Error('no such mailbox'), { responseCode: 550 }));
          else done();
        },
        onData(stream, session, done) {
          const chunks: Buffer[] = [];
          stream.on('data', (chunk: Buffer) => chunks.push(chunk));
          stream.on('end', () => {
            if (self.refuse !== 0) {
              done(Object.assign(new Error('not now'), { responseCode: self.refuse }));
              return;
            }
            const { mailFrom, rcptTo } = session.envelope;
            self.received.push({
              from: mailFrom === false ? '' : mailFrom.address,
              to: rcptTo.map(({ address }) => address),
              secure: session.secure,
              user: session.user === undefined ? null : String(session.user),
              raw: Buffer.concat(chunks).toString('utf8'),
            });
            done();
          });
        },
      });
    });
    // A client that goes away in the middle is its own business.
    mailbox.#server.on('error', () => {});
    await new Promise<void>((resolve) => mailbox.#server.listen(0, '127.0.0.1', () => resolve()));
    return mailbox;
  }

  get port(): number {
    return (this.#server.server.address() as AddressInfo).port;
  }

  stop(): Promise<void> {
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }
}
