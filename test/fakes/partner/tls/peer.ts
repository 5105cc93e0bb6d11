import type { TLSSocket } from 'node:tls';
import { sha256 } from '../authority.ts';

/** The client certificate on a connection, as this server saw it. */
export interface Peer {
  /** Lower-case hex without leading zeros. */
  readonly serial: string;
  /** SHA-256 of the SubjectPublicKeyInfo, lower-case hex. */
  readonly spki: string;
  /** SHA-256 of the certificate's DER, lower-case hex. */
  readonly fingerprint: string;
  /** One line an attribute, e.g. `CN=my_app`. */
  readonly subject: string;
  readonly resumed: boolean;
  readonly socketId: number;
}

/** Null when the client sent no certificate. */
export function peerOf(socket: TLSSocket, socketId: number): Peer | null {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return null;
  return {
    serial: certificate.serialNumber.toLowerCase().replace(/^0+/, ''),
    spki: sha256(certificate.publicKey.export({ type: 'spki', format: 'der' })),
    fingerprint: sha256(certificate.raw),
    subject: certificate.subject,
    resumed: socket.isSessionReused(),
    socketId,
  };
}
