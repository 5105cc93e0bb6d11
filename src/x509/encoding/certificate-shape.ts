import { KeyturnError } from '../../core/errors.ts';
import { checkDer, derElements, TAG } from './der.ts';

/** More than fifty times a usual certificate. */
const MAX_CERTIFICATE_BYTES = 64 * 1024;
/** RFC 5280 section 4.1: `extensions [3] EXPLICIT` within the TBSCertificate. */
const EXTENSIONS = 0xa3;

/**
 * What must hold before any parser sees a certificate that may come from an attacker: a bounded size, one
 * well-formed DER structure of bounded depth and nothing after it, each extension at most once (RFC 5280 section 4.2)
 * and itself well-formed DER, since parsers recurse into it.
 * @throws KeyturnError `certificate_unreadable`, `payload_too_large`
 */
export function checkCertificateShape(der: Buffer): void {
  if (der.length > MAX_CERTIFICATE_BYTES) {
    throw new KeyturnError('payload_too_large', `A certificate may have ${MAX_CERTIFICATE_BYTES} bytes.`);
  }
  checkDer(der);
  const seen = new Set<string>();
  for (const { oid, value } of extensionsOf(der)) {
    if (seen.has(oid)) throw new KeyturnError('certificate_unreadable', 'The certificate has an extension twice.');
    seen.add(oid);
    checkDer(value);
  }
}

function* extensionsOf(der: Buffer): Generator<{ oid: string; value: Buffer }> {
  const [certificate] = derElements(der);
  const [tbs] = derElements(certificate!.content);
  if (tbs?.tag !== TAG.sequence) throw notOne();
  const wrapper = derElements(tbs.content).find(({ tag }) => tag === EXTENSIONS);
  const [list] = wrapper === undefined ? [] : derElements(wrapper.content);
  for (const extension of list === undefined ? [] : derElements(list.content)) {
    const parts = extension.tag === TAG.sequence ? derElements(extension.content) : [];
    const [oid, value] = [parts[0], parts.at(-1)];
    if (oid?.tag !== TAG.oid || value?.tag !== TAG.octetString) throw notOne();
    yield { oid: oid.content.toString('hex'), value: value.content };
  }
}

function notOne(): KeyturnError {
  return new KeyturnError('certificate_unreadable', 'The data is DER, but not an X.509 certificate.');
}
