import { typed } from '../peculiar.ts';
import { wrapPem } from '../pem.ts';
import type { PrivateKeyFile } from '../private-key.ts';
import { alternativeNames, checkIdentity, nameOf, type RequestedIdentity } from './identity.ts';
import { signingKeys } from './signing.ts';

/** A PKCS#10 request (RFC 2986), signed with the key that it is for. Public. */
export interface CertificateRequest {
  readonly der: Buffer;
  /** LF, 64 characters a line. */
  readonly pem: string;
  /** SHA-256 of the DER SubjectPublicKeyInfo, lower-case hex. */
  readonly spki: string;
  readonly identity: RequestedIdentity;
}

/**
 * Asks for a certificate of a TLS client: the identity, clientAuth, digitalSignature and nothing else.
 * @throws KeyturnError `invalid_input` for an identity that none may have.
 */
export async function makeRequest(
  key: Pick<PrivateKeyFile, 'key' | 'spki'>,
  identity: RequestedIdentity,
): Promise<CertificateRequest> {
  checkIdentity(identity);
  const { algorithm, ...keys } = signingKeys(key.key);
  const names = alternativeNames(identity);
  const request = await typed.Pkcs10CertificateRequestGenerator.create({
    name: nameOf(identity.subject),
    keys,
    signingAlgorithm: algorithm,
    extensions: [
      new typed.KeyUsagesExtension(typed.KeyUsageFlags.digitalSignature, true),
      new typed.ExtendedKeyUsageExtension([typed.ExtendedKeyUsage.clientAuth]),
      ...(names === null ? [] : [names]),
    ],
  });
  const der = Buffer.from(request.rawData);
  return { der, pem: wrapPem('CERTIFICATE REQUEST', der), spki: key.spki, identity };
}
