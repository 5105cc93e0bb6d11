import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makePki } from '../../../conformance/issuers/vault-pki.ts';
import { callBao } from '../../../fakes/openbao/api.ts';
import { OpenBao } from '../../../fakes/openbao.ts';

/** What a PKI engine has issued. */
export interface IssuedElsewhere {
  /** Lower-case hex without leading zeros. */
  readonly serial: string;
  readonly revoked: boolean;
}

/** A PKI engine of a real OpenBao. */
export class PkiEngine implements AsyncDisposable {
  readonly #server: OpenBao;
  readonly #mount: string;
  readonly #token: string;

  private constructor(server: OpenBao, mount: string, token: string) {
    this.#server = server;
    this.#mount = mount;
    this.#token = token;
  }

  static async start(): Promise<PkiEngine> {
    const server = await OpenBao.start();
    const { mount, options } = await makePki(server);
    return new PkiEngine(server, mount, options.environment?.['BAO_TOKEN'] ?? '');
  }

  /** What stands under its name in `keyturn.yaml`; files that it names are put into `home`. */
  async configure(home: string): Promise<object> {
    const id = randomUUID();
    await writeFile(join(home, `${id}.pem`), this.#server.ca.certificatePem);
    await writeFile(join(home, `${id}.token`), this.#token, { mode: 0o600 });
    return {
      kind: 'vault-pki',
      address: this.#server.url,
      tls: { ca: `${id}.pem` },
      login: { method: 'token-file', file: `${id}.token` },
      mount: this.#mount,
    };
  }

  /** Certificate and revocation list, PEM. */
  async list(): Promise<{ readonly ca: string; readonly crl: string }> {
    const [ca, crl] = await Promise.all([this.#text('ca/pem'), this.#text('crl/pem')]);
    return { ca: `${ca.trim()}\n`, crl };
  }

  /** All but its own. */
  async issued(): Promise<IssuedElsewhere[]> {
    const { data } = await this.#server.root<{ data: { keys: string[] } }>({
      path: `${this.#mount}/certs`,
      method: 'LIST',
    });
    const own = await this.#server.root<{ data: { issuer_id?: string } }>({ path: `${this.#mount}/cert/ca` });
    const found = await Promise.all(
      data.keys.map(async (serial) => {
        const { data: each } = await this.#server.root<{ data: { revocation_time: number; certificate: string } }>({
          path: `${this.#mount}/cert/${serial}`,
        });
        return { ...each, serial: serial.replaceAll(/[:-]/g, '').toLowerCase().replace(/^0+/, '') };
      }),
    );
    const ca = (own.data as { certificate?: string }).certificate?.trim();
    return found
      .filter(({ certificate }) => certificate.trim() !== ca)
      .map(({ serial, revocation_time: at }) => ({ serial, revoked: at > 0 }));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#server[Symbol.asyncDispose]();
  }

  async #text(path: string): Promise<string> {
    return (await callBao(this.#server.url, this.#server.ca.certificatePem, { path: `${this.#mount}/${path}` })).body;
  }
}
