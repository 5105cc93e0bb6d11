import { constants, X509Certificate } from 'node:crypto';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import * as x509 from '@peculiar/x509';
import { TestCa } from './ca.ts';

export interface Trusted {
  /** PEM: whom client certificates must come from. */
  readonly authority: string;
  /** PEM: what it has revoked. */
  readonly list: string;
}

/**
 * A service within the company that takes certificates of an authority of the company's own: it looks at the authority's
 * newest revocation list at every request, and answers 403 to whom it does not accept.
 */
export class RelyingParty {
  readonly #server: Server;
  readonly chainPem: string;
  /** Serials that were accepted, lower-case hex, in order. */
  readonly accepted: string[] = [];
  /** Asked at every request. */
  trust: () => Promise<Trusted>;

  private constructor(server: Server, chainPem: string, trust: () => Promise<Trusted>) {
    this.#server = server;
    this.chainPem = chainPem;
    this.trust = trust;
  }

  static async start(trust: () => Promise<Trusted>): Promise<RelyingParty> {
    const ca = await TestCa.create('Relying Party CA');
    const { keyPem, certificatePem } = await ca.server();
    const server = createServer({
      key: keyPem,
      cert: certificatePem,
      requestCert: true,
      rejectUnauthorized: false,
      // A resumed session would be accepted without a look at its certificate.
      secureOptions: constants.SSL_OP_NO_TICKET,
    });
    const party = new RelyingParty(server, ca.chainPem, trust);
    server.on('request', (request, response) => {
      party.#accepts(request.socket as TLSSocket).then(
        (accepted) => response.writeHead(accepted ? 200 : 403).end('{}'),
        () => response.writeHead(500).end(),
      );
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return party;
  }

  get url(): string {
    return `https://localhost:${(this.#server.address() as AddressInfo).port}`;
  }

  async #accepts(socket: TLSSocket): Promise<boolean> {
    const { raw } = socket.getPeerCertificate();
    if (raw === undefined) return false;
    const leaf = new X509Certificate(raw);
    const { authority, list } = await this.trust();
    const issuer = new X509Certificate(authority);
    const crl = new x509.X509Crl(list);
    const serial = leaf.serialNumber.toLowerCase().replace(/^0+/, '');
    const good =
      leaf.checkIssued(issuer) &&
      leaf.verify(issuer.publicKey) &&
      (await crl.verify({ publicKey: new x509.X509Certificate(authority).publicKey })) &&
      !crl.entries.some(({ serialNumber }) => serialNumber.toLowerCase().replace(/^0+/, '') === serial);
    if (good) this.accepted.push(serial);
    return good;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
