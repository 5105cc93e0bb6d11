import { issueServerCertificate, type ServerCa } from './ca.ts';
import type { ServerIdentitySource, Validity } from './server-identity.ts';

/** A source that signs for itself, anew at two thirds of a certificate's life. */
export function caSource(options: {
  readonly ca: ServerCa;
  /** DNS names and IP addresses by which clients call us. */
  readonly names: readonly string[];
  /** Seconds. Default: 7 days. */
  readonly lifetimeSeconds?: number;
}): ServerIdentitySource {
  return {
    description: 'own CA',
    async due(inForce, now) {
      if (inForce !== null && now < renewAt(inForce)) return null;
      return issueServerCertificate({ ...options, now });
    },
  };
}

function renewAt({ notBefore, notAfter }: Validity): number {
  return notBefore + ((notAfter - notBefore) * 2) / 3;
}
