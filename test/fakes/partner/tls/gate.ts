import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { RecordReader } from './records.ts';

const CHANGE_CIPHER_SPEC = 20;
const APPLICATION_DATA = 23;
/** How long a refused client may take to hang up before it is cut off. */
const LINGER_MS = 2_000;

/**
 * The raw connection under a server's TLS socket, with the last word on how the handshake ends.
 *
 * Node's TLS server accepts any client certificate while the handshake runs and judges afterwards, so it has no
 * way to send the alert that OpenSSL, Go or Java would. The gate holds back what the server writes once the
 * client's certificate is in; the owner then lets it through or puts an alert record in its place. The held part is
 * - TLS 1.2: ChangeCipherSpec and Finished (RFC 5246 section 7.3), which follow the client's ChangeCipherSpec;
 * - TLS 1.3: whatever follows the client's first protected record (RFC 8446 section 2), that is session tickets.
 *
 * Not for resumed TLS 1.2 handshakes, where the server's Finished comes first: turn resumption off.
 */
export class HandshakeGate extends Duplex {
  readonly #raw: Socket;
  readonly #incoming = new RecordReader();
  readonly #outgoing = new RecordReader();
  #state: 'handshake' | 'holding' | 'open' | 'refused' = 'handshake';
  #held: Buffer[] = [];
  #clientChangedCipher = false;
  #clientIsProtected = false;
  /** From the ClientHello, lower-case hex; null until it came. A key log names the connection by it. */
  clientRandom: string | null = null;

  constructor(raw: Socket) {
    super();
    this.#raw = raw;
    raw.on('data', (chunk: Buffer) => this.#onData(chunk));
    raw.on('end', () => this.push(null));
    raw.on('error', () => this.destroy());
    raw.on('close', () => this.destroy());
  }

  /** The client's certificate is welcome: lets everything through from now on. */
  open(): void {
    const held = this.#held;
    this.#held = [];
    this.#state = 'open';
    for (const record of held) this.#raw.write(record);
    const rest = this.#outgoing.rest();
    if (rest.length > 0) this.#raw.write(rest);
  }

  /** Sends `alert` (a whole record) instead of what was held, and ends the connection. */
  refuse(alert: Buffer): void {
    this.#state = 'refused';
    this.#held = [];
    this.#raw.end(alert);
    // Unread bytes would turn the close into a reset, and a reset may overtake the alert.
    this.#raw.resume();
    this.#raw.setTimeout(LINGER_MS, () => this.#raw.destroy());
  }

  #onData(chunk: Buffer): void {
    if (this.#state === 'refused') return;
    if (this.#state !== 'open') for (const record of this.#incoming.feed(chunk)) this.#onIncoming(record);
    if (!this.push(chunk)) this.#raw.pause();
  }

  #onIncoming(record: Buffer): void {
    this.clientRandom ??= record.subarray(11, 43).toString('hex');
    if (record[0] === CHANGE_CIPHER_SPEC) this.#clientChangedCipher = true;
    if (record[0] === APPLICATION_DATA) this.#clientIsProtected = true;
  }

  #onOutgoing(record: Buffer): void {
    // A TLS 1.3 server sends its own ChangeCipherSpec too, but before the client's (RFC 8446 appendix D.4).
    const finishing = record[0] === CHANGE_CIPHER_SPEC && this.#clientChangedCipher;
    if (this.#state === 'handshake' && (finishing || this.#clientIsProtected)) this.#state = 'holding';
    if (this.#state === 'holding') this.#held.push(record);
    else this.#raw.write(record);
  }

  override _read(): void {
    this.#raw.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (this.#state === 'open') {
      this.#raw.write(chunk, (error) => done(error ?? null));
      return;
    }
    // A refused client gets nothing after its alert, least of all the server's close_notify.
    const records = this.#state === 'refused' ? [] : this.#outgoing.feed(chunk);
    for (const record of records) this.#onOutgoing(record);
    done();
  }

  override _final(done: (error?: Error | null) => void): void {
    if (this.#state !== 'refused') this.#raw.end();
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (this.#state !== 'refused') this.#raw.destroy();
    done(error);
  }
}
