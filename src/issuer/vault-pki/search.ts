import { numberAt, textAt, textsAt } from '../../keystore/vault/client/answer.ts';
import type { VaultLink } from '../../keystore/vault/connect.ts';
import { certificatesIn } from '../certificates.ts';
import type { FoundCertificate } from '../driver.ts';
import { askPki } from './ask.ts';
import type { PkiPaths } from './options.ts';

/** Certificates asked for at the same time. */
const WIDTH = 8;
/** RFC 5280 section 4.1.2.2: at most 20 octets. */
const SERIAL = /^[0-9a-f]{2}(?:[:-][0-9a-f]{2}){0,19}$/;

/**
 * Finds the certificates of a key. The engine lists serial numbers alone, so each certificate is looked at, once: which
 * key a serial number is for never changes.
 */
export class PkiSearch {
  readonly #link: VaultLink;
  readonly #paths: PkiPaths;
  readonly #limit: number;
  /** Key by serial number. */
  readonly #seen = new Map<string, string>();

  constructor(link: VaultLink, paths: PkiPaths, limit: number) {
    this.#link = link;
    this.#paths = paths;
    this.#limit = limit;
  }

  /** Null when there are more certificates than are looked through. */
  async find(spki: string): Promise<FoundCertificate[] | null> {
    const { data } = await askPki(this.#link, this.#paths.certificates);
    const serials = (textsAt(data ?? {}, 'keys') ?? []).filter((serial) => SERIAL.test(serial));
    if (serials.length > this.#limit) return null;
    this.#forgetAllBut(serials);
    const wanted = serials.filter((serial) => (this.#seen.get(serial) ?? spki) === spki);
    const found: FoundCertificate[] = [];
    for (let at = 0; at < wanted.length; at += WIDTH) {
      const looked = await Promise.all(wanted.slice(at, at + WIDTH).map((serial) => this.#look(serial)));
      found.push(...looked.filter((each) => each !== null).filter(({ certificate }) => certificate.spki === spki));
    }
    return found.length === 0 ? [] : this.#withChain(found);
  }

  /** Of the issuer that the role names: its chain does not come with a certificate that is looked up. */
  async #withChain(found: readonly FoundCertificate[]): Promise<FoundCertificate[]> {
    const role = await askPki(this.#link, this.#paths.role);
    const reference = textAt(role.data ?? {}, 'issuer_ref') ?? '';
    const { data } = await askPki(this.#link, this.#paths.issuer(reference === '' ? 'default' : reference));
    const chain = textsAt(data ?? {}, 'ca_chain') ?? [textAt(data ?? {}, 'certificate') ?? ''];
    return found.map((each) => ({ ...each, chain: chain.join('\n') }));
  }

  /** Null for one that was tidied away meanwhile. */
  async #look(serial: string): Promise<FoundCertificate | null> {
    const { data } = await askPki(this.#link, this.#paths.certificate(serial.replaceAll(':', '-')));
    const [certificate] = certificatesIn(textAt(data ?? {}, 'certificate') ?? '');
    if (certificate === undefined) return null;
    this.#seen.set(serial, certificate.spki);
    return { certificate, chain: '', revoked: (numberAt(data ?? {}, 'revocation_time') ?? 0) > 0 };
  }

  #forgetAllBut(serials: readonly string[]): void {
    const kept = new Set(serials);
    for (const serial of this.#seen.keys()) if (!kept.has(serial)) this.#seen.delete(serial);
  }
}
