import { crc32, deflateRawSync } from 'node:zlib';

/** Header fields that a forger may set apart from the truth. */
export interface Fields {
  readonly name?: Buffer;
  readonly flags?: number;
  readonly method?: number;
  readonly crc32?: number;
  readonly compressedSize?: number;
  readonly size?: number;
  readonly extra?: Buffer;
  readonly offset?: number;
}

export interface ForgedEntry {
  readonly name: string | Buffer;
  readonly content: Buffer;
  /** Unix mode in the external attributes. Default: a regular file. */
  readonly mode?: number;
  readonly stored?: boolean;
  /** Writes sizes behind the data, as streaming writers do. */
  readonly streamed?: 'with signature' | 'without signature';
  /** Replaces the packed octets. */
  readonly packed?: Buffer;
  /** Lies told in both headers, in the local one alone, in the central one alone. */
  readonly both?: Fields;
  readonly local?: Fields;
  readonly central?: Fields;
}

export interface ForgedZip {
  readonly prefix?: Buffer;
  readonly gap?: Buffer;
  readonly suffix?: Buffer;
  readonly comment?: Buffer;
  readonly count?: number;
  /** Put between the directory and its end record. */
  readonly beforeEnd?: Buffer;
}

/** A zip made by hand, octet by octet (APPNOTE 6.3.10), so that it can lie wherever it likes. */
export function forgeZip(entries: readonly ForgedEntry[], archive: ForgedZip = {}): Buffer {
  const locals: Buffer[] = [archive.prefix ?? Buffer.alloc(0)];
  const centrals: Buffer[] = [];
  let offset = archive.prefix?.length ?? 0;
  for (const entry of entries) {
    const { local, central } = forgeEntry(entry, offset);
    locals.push(local);
    centrals.push(central);
    offset += local.length;
  }
  locals.push(archive.gap ?? Buffer.alloc(0));
  offset += archive.gap?.length ?? 0;
  const directory = Buffer.concat(centrals);
  const comment = archive.comment ?? Buffer.alloc(0);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(archive.count ?? entries.length, 8);
  end.writeUInt16LE(archive.count ?? entries.length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(offset, 16);
  end.writeUInt16LE(comment.length, 20);
  return Buffer.concat([
    ...locals,
    directory,
    archive.beforeEnd ?? Buffer.alloc(0),
    end,
    comment,
    archive.suffix ?? Buffer.alloc(0),
  ]);
}

function forgeEntry(entry: ForgedEntry, offset: number): { local: Buffer; central: Buffer } {
  const packed = entry.packed ?? (entry.stored === true ? entry.content : deflateRawSync(entry.content));
  const truth = {
    name: Buffer.from(entry.name as string),
    flags: entry.streamed === undefined ? 0 : 8,
    method: entry.stored === true ? 0 : 8,
    crc32: crc32(entry.content),
    compressedSize: packed.length,
    size: entry.content.length,
    extra: Buffer.alloc(0),
    offset,
    ...entry.both,
  };
  const unsaid = entry.streamed === undefined ? {} : { crc32: 0, compressedSize: 0, size: 0 };
  const local = localHeader({ ...truth, ...unsaid, ...entry.local });
  const central = centralHeader({ ...truth, ...entry.central }, entry.mode ?? 0o100644);
  return { local: Buffer.concat([local, packed, descriptor(entry, truth)]), central };
}

function localHeader(fields: Required<Fields>): Buffer {
  const header = Buffer.alloc(30);
  header.writeUInt32LE(0x04034b50, 0);
  header.writeUInt16LE(20, 4);
  writeCommon(header.subarray(6), fields);
  return Buffer.concat([header, fields.name, fields.extra]);
}

function centralHeader(fields: Required<Fields>, mode: number): Buffer {
  const header = Buffer.alloc(46);
  header.writeUInt32LE(0x02014b50, 0);
  header.writeUInt16LE((3 << 8) | 20, 4);
  header.writeUInt16LE(20, 6);
  writeCommon(header.subarray(8), fields);
  header.writeUInt16LE(mode, 40);
  header.writeUInt32LE(fields.offset, 42);
  return Buffer.concat([header, fields.name, fields.extra]);
}

/** The part that both headers share: flags, method, time, checksum, sizes, lengths. */
function writeCommon(header: Buffer, fields: Required<Fields>): void {
  header.writeUInt16LE(fields.flags, 0);
  header.writeUInt16LE(fields.method, 2);
  header.writeUInt32LE(fields.crc32, 8);
  header.writeUInt32LE(fields.compressedSize, 12);
  header.writeUInt32LE(fields.size, 16);
  header.writeUInt16LE(fields.name.length, 20);
  header.writeUInt16LE(fields.extra.length, 22);
}

function descriptor(entry: ForgedEntry, truth: Required<Fields>): Buffer {
  if (entry.streamed === undefined) return Buffer.alloc(0);
  const out = Buffer.alloc(16);
  out.writeUInt32LE(0x08074b50, 0);
  out.writeUInt32LE(truth.crc32, 4);
  out.writeUInt32LE(truth.compressedSize, 8);
  out.writeUInt32LE(truth.size, 12);
  return entry.streamed === 'with signature' ? out : out.subarray(4);
}
