import { createHmac } from 'node:crypto';

const VERSION = Buffer.from('HPKE-v1', 'ascii');
const NO_SALT = Buffer.alloc(0);

/**
 * HKDF-SHA256 with the labels of HPKE, for one suite id. Results are Buffers of their own: the caller wipes those
 * that are secret.
 */
export class LabeledHkdf {
  readonly #suiteId: Buffer;

  constructor(suiteId: Buffer) {
    this.#suiteId = suiteId;
  }

  // RFC 9180 section 4: LabeledExtract(salt, label, ikm) = Extract(salt, "HPKE-v1" || suite_id || label || ikm);
  // RFC 5869 section 2.2: Extract is HMAC under the salt. HMAC pads an empty salt to the zeros the RFC asks for.
  /** 32 octets. */
  extract(label: string, inputKey: Buffer, salt: Buffer = NO_SALT): Buffer {
    return createHmac('sha256', salt)
      .update(VERSION)
      .update(this.#suiteId)
      .update(label, 'ascii')
      .update(inputKey)
      .digest();
  }

  // RFC 9180 section 4: LabeledExpand(prk, label, info, L) = Expand(prk, I2OSP(L, 2) || "HPKE-v1" || suite_id ||
  // label || info, L); RFC 5869 section 2.3: the first block of Expand is HMAC(prk, info || 0x01), and one is enough.
  /** The first `length` octets, 1 to 32. */
  expand(prk: Buffer, label: string, info: Buffer, length: number): Buffer {
    const size = Buffer.from([length >> 8, length & 0xff]);
    const block = createHmac('sha256', prk)
      .update(size)
      .update(VERSION)
      .update(this.#suiteId)
      .update(label, 'ascii')
      .update(info)
      .update(Buffer.from([1]))
      .digest();
    const wanted = Buffer.allocUnsafeSlow(length);
    block.copy(wanted, 0, 0, length);
    block.fill(0);
    return wanted;
  }
}
