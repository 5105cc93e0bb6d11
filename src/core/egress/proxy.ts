import { KeyturnError } from '../errors.ts';
import { bareHost } from './place.ts';

/** An HTTP proxy on the way out. What it asks of us to be let through is in no member that is ever printed. */
export class HttpProxy {
  /** `http://proxy.example:3128`, without user and password. */
  readonly origin: string;
  /** The variable that names it. */
  readonly source: string;
  /** Whether NO_PROXY has a say about it. */
  readonly exempting: boolean;
  readonly secure: boolean;
  /** Without the brackets of IPv6. */
  readonly host: string;
  readonly port: number;
  readonly #authorization: string | null;

  private constructor(url: URL, source: string, exempting: boolean) {
    this.secure = url.protocol === 'https:';
    this.host = bareHost(url.hostname);
    this.port = url.port === '' ? (this.secure ? 443 : 80) : Number(url.port);
    this.origin = url.origin;
    this.source = source;
    this.exempting = exempting;
    this.#authorization = authorizationOf(url);
  }

  /**
   * A proxy as variables name it: `http://user:password@proxy.example:3128`, or without the scheme, which is http then.
   * @throws KeyturnError `config_invalid`, which quotes nothing of it.
   */
  static of(text: string, source: string, exempting: boolean): HttpProxy {
    const whole = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`;
    const url = URL.canParse(whole) ? new URL(whole) : null;
    if (url === null || !/^https?:$/.test(url.protocol) || url.hostname === '') throw noProxy(source);
    try {
      return new HttpProxy(url, source, exempting);
    } catch {
      throw noProxy(source); // a user or password that is not percent-encoded
    }
  }

  /** Whether a user or password is sent to it. */
  get identified(): boolean {
    return this.#authorization !== null;
  }

  /** Header of RFC 9110 section 11.7.2; a secret. */
  get headers(): Record<string, string> {
    return this.#authorization === null ? {} : { 'Proxy-Authorization': this.#authorization };
  }
}

function authorizationOf({ username, password }: URL): string | null {
  if (username === '' && password === '') return null;
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return `Basic ${Buffer.from(pair, 'utf8').toString('base64')}`;
}

function noProxy(source: string): KeyturnError {
  return new KeyturnError('config_invalid', `${source} is not the address of an HTTP proxy.`, {
    fix: `Write it as http://proxy.example:3128, user and password percent-encoded before an @; or unset ${source}.`,
  });
}
