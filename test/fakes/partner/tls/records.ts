const HEADER_BYTES = 5;

/** Cuts a byte stream into TLS records (RFC 8446 section 5.1), header included. */
export class RecordReader {
  #rest: Buffer = Buffer.alloc(0);

  /** The records that `chunk` completes, in order. */
  feed(chunk: Buffer): Buffer[] {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const records: Buffer[] = [];
    while (this.#rest.length >= HEADER_BYTES) {
      const end = HEADER_BYTES + this.#rest.readUInt16BE(3);
      if (this.#rest.length < end) break;
      records.push(this.#rest.subarray(0, end));
      this.#rest = this.#rest.subarray(end);
    }
    return records;
  }

  /** Takes out what is left of an unfinished record. */
  rest(): Buffer {
    const rest = this.#rest;
    this.#rest = Buffer.alloc(0);
    return rest;
  }
}
