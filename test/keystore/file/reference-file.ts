import { argon2Sync, createCipheriv, createHash, createHmac, hkdfSync } from 'node:crypto';

/**
 * The key store file written a second time, from docs/formats/key-file.md alone and without a line of the production
 * code: with every random value given, so that vectors can be made, and without any check, so that hostile files can.
 */
export interface ReferenceFile {
  readonly magic?: Buffer;
  readonly version?: number;
  readonly storeId: Buffer;
  readonly stretch?: ReferenceStretch;
  /** The 32 octets; with `stretch`, the passphrase. */
  readonly master: Buffer;
  /** Used instead of what the passphrase stretches to, so that absurd parameters can be written. */
  readonly stretched?: Buffer;
  readonly wrapNonce: Buffer;
  readonly dataKey: Buffer;
  readonly contentKey: Buffer;
  readonly generation: bigint;
  readonly records: readonly ReferenceRecord[];
  readonly recordCount?: number;
  readonly trailing?: Buffer;
}

export interface ReferenceStretch {
  readonly kind: number;
  readonly memoryKiB: number;
  readonly passes: number;
  readonly lanes: number;
  readonly salt: Buffer;
}

export interface ReferenceRecord {
  readonly name: string;
  readonly nonce: Buffer;
  readonly octets: Buffer;
  /** Seals for another name than the one it is filed under. */
  readonly sealedAs?: string;
  /** Written as it is, instead of what sealing gives. */
  readonly sealed?: Buffer;
}

export function writeReference(file: ReferenceFile): Buffer {
  const master = file.stretched ?? (file.stretch === undefined ? file.master : stretched(file.master, file.stretch));
  const preamble = Buffer.concat([
    file.magic ?? Buffer.from('KEYTURN\0'),
    number(file.version ?? 1, 2),
    file.storeId,
    stretchField(file.stretch),
    derived(master, file.storeId, 'check'),
  ]);
  const both = Buffer.concat([file.dataKey, file.contentKey]);
  const body = Buffer.concat([
    preamble,
    sealed(derived(master, file.storeId, 'wrap'), file.wrapNonce, both, preamble),
    number(file.generation, 8),
    number(file.recordCount ?? file.records.length, 4),
    ...file.records.map((record) => recordField(file, record)),
    file.trailing ?? Buffer.alloc(0),
  ]);
  return closed(body, file);
}

/** Appends a right MAC and a right checksum to any body: what only the holder of the data key can do. */
export function closed(body: Buffer, file: Pick<ReferenceFile, 'dataKey' | 'storeId'>): Buffer {
  const mac = createHmac('sha256', derived(file.dataKey, file.storeId, 'file mac'))
    .update(body)
    .digest();
  return withChecksum(Buffer.concat([body, mac]));
}

/** What everyone can do: any octets, with the plain checksum put right again. */
export function withChecksum(bodyAndMac: Buffer): Buffer {
  return Buffer.concat([bodyAndMac, createHash('sha256').update(bodyAndMac).digest()]);
}

export function referenceDigest(file: Pick<ReferenceFile, 'contentKey' | 'records'>): string {
  const hash = createHash('sha256').update('keyturn store digest 1\0');
  for (const { name, octets } of file.records) {
    const named = Buffer.concat([number(name.length, 1), Buffer.from(name)]);
    hash.update(named).update(createHmac('sha256', file.contentKey).update(named).update(octets).digest());
  }
  return hash.digest('hex');
}

function recordField(file: ReferenceFile, record: ReferenceRecord): Buffer {
  const name = Buffer.from(record.name);
  const associated = Buffer.concat([
    Buffer.from('keyturn key-file 1 record\0'),
    file.storeId,
    Buffer.from(record.sealedAs ?? record.name),
  ]);
  const value =
    record.sealed ?? sealed(derived(file.dataKey, file.storeId, 'records'), record.nonce, record.octets, associated);
  return Buffer.concat([number(name.length, 1), name, number(value.length, 4), value]);
}

function stretchField(stretch: ReferenceStretch | undefined): Buffer {
  if (stretch === undefined) return Buffer.alloc(29);
  const { kind, memoryKiB, passes, lanes, salt } = stretch;
  return Buffer.concat([number(kind, 1), number(memoryKiB, 4), number(passes, 4), number(lanes, 4), salt]);
}

function stretched(passphrase: Buffer, { memoryKiB, passes, lanes, salt }: ReferenceStretch): Buffer {
  const cost = { memory: memoryKiB, passes, parallelism: lanes, tagLength: 32 };
  return argon2Sync('argon2id', { message: passphrase, nonce: salt, ...cost });
}

function derived(key: Buffer, storeId: Buffer, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', key, storeId, `keyturn key-file 1 ${purpose}`, 32));
}

function sealed(key: Buffer, nonce: Buffer, plaintext: Buffer, associated: Buffer): Buffer {
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: 16 });
  cipher.setAAD(associated);
  return Buffer.concat([nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
}

function number(value: number | bigint, octets: number): Buffer {
  return Buffer.from(value.toString(16).padStart(2 * octets, '0'), 'hex');
}
