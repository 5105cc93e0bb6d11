import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';

/** Where the client's random ends: record header 5, handshake header 4, version 2, random 32 (RFC 8446 section 4.1.2). */
const HELLO_BYTES = 43;
const RANDOM_START = 11;
/** How long a refused client may take to hang up before it is cut off. */
const LINGER_MS = 2_000;

/**
 * The raw connection under a server's TLS socket, with the last word on how the handshake ends.
 *
 * Node's TLS server accepts any client certificate while the handshake runs and judges it afterwards, so it has no
 * way to send the alert that OpenSSL, Go or Java would. But it tells of the finished handshake before it writes its
 * last flight (TLS 1.2: ChangeCipherSpec and Finished; TLS 1.3: session tickets). Whoever refuses right then has an
 * alert as the next record on the wire, which is just where a server that judges in time would put it.
 *
 * Not for resumed TLS 1.2 handshakes, where the server's Finished comes first: turn resumption off.
 */
export class HandshakeGate extends Duplex {
  readonly #raw: Socket;
  #hello: Buffer | null = Buffer.alloc(0);
  #refused = false;
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

  /** Ends the connection with `alert`, a whole record. Nothing that TLS writes from now on goes out. */
  refuse(alert: Buffer): void {
    this.#refused = true;
    this.#raw.end(alert);
    // Unread bytes would turn the close into a reset, and a reset may overtake the alert.
    this.#raw.resume();
    this.#raw.setTimeout(LINGER_MS, () => this.#raw.destroy());
  }

  #onData(chunk: Buffer): void {
    if (this.#refused) return;
    if (this.#hello !== null) this.#readHello(chunk);
    if (!this.push(chunk)) this.#raw.pause();
  }

  #readHello(chunk: Buffer): void {
    const hello = Buffer.concat([this.#hello ?? Buffer.alloc(0), chunk]);
    this.#hello = hello.length < HELLO_BYTES ? hello : null;
    if (hello.length >= HELLO_BYTES) this.clientRandom = hello.toString('hex', RANDOM_START, HELLO_BYTES);
  }

  override _read(): void {
    this.#raw.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (this.#refused) done();
    else this.#raw.write(chunk, (error) => done(error ?? null));
  }

  override _final(done: (error?: Error | null) => void): void {
    if (!this.#refused) this.#raw.end();
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (!this.#refused) this.#raw.destroy();
    done(error);
  }
}
