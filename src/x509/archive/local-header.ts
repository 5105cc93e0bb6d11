import type { ArchiveEntry } from './archive-entry.ts';
import { rejected } from './rejected.ts';

const LOCAL_SIGNATURE = 0x04034b50;
const LOCAL_BYTES = 30;
const DESCRIPTOR_SIGNATURE = 0x08074b50;
/** Bit 3: checksum and sizes stand behind the data (APPNOTE 6.3.10 section 4.4.4). */
const HAS_DESCRIPTOR = 0x0008;

/** Where an entry lies in the file, header and descriptor included. */
export interface Extent {
  readonly start: number;
  readonly end: number;
}

/**
 * The extent of an entry, after its local header has been found to tell the same as the directory does.
 * @throws KeyturnError `archive_rejected`
 */
export function localExtent(bytes: Buffer, entry: ArchiveEntry, limit: number): Extent {
  const at = entry.offset;
  if (at + LOCAL_BYTES > limit || bytes.readUInt32LE(at) !== LOCAL_SIGNATURE)
    throw rejected('an entry is not where the directory says');
  const nameEnd = at + LOCAL_BYTES + bytes.readUInt16LE(at + 26);
  const dataStart = nameEnd + bytes.readUInt16LE(at + 28);
  const dataEnd = dataStart + entry.compressedSize;
  if (dataEnd > limit) throw rejected(`"${entry.name}" is longer than the file`);
  const streamed = (entry.flags & HAS_DESCRIPTOR) !== 0;
  const same =
    bytes.readUInt16LE(at + 6) === entry.flags &&
    bytes.readUInt16LE(at + 8) === entry.method &&
    bytes.subarray(at + LOCAL_BYTES, nameEnd).equals(entry.rawName) &&
    sameOrUnsaid(bytes.readUInt32LE(at + 14), entry.crc32, streamed) &&
    sameOrUnsaid(bytes.readUInt32LE(at + 18), entry.compressedSize, streamed) &&
    sameOrUnsaid(bytes.readUInt32LE(at + 22), entry.size, streamed);
  if (!same) throw rejected(`its directory and the header of "${entry.name}" contradict each other`);
  return { start: at, end: streamed ? descriptorEnd(bytes, entry, dataEnd, limit) : dataEnd };
}

function sameOrUnsaid(local: number, central: number, streamed: boolean): boolean {
  return local === central || (streamed && local === 0);
}

/** APPNOTE section 4.3.9: checksum, packed size, size; with or without a signature. */
function descriptorEnd(bytes: Buffer, entry: ArchiveEntry, at: number, limit: number): number {
  const signed =
    at + 4 <= limit && bytes.readUInt32LE(at) === DESCRIPTOR_SIGNATURE && entry.crc32 !== DESCRIPTOR_SIGNATURE;
  const start = signed ? at + 4 : at;
  const same =
    start + 12 <= limit &&
    bytes.readUInt32LE(start) === entry.crc32 &&
    bytes.readUInt32LE(start + 4) === entry.compressedSize &&
    bytes.readUInt32LE(start + 8) === entry.size;
  if (!same) throw rejected(`its directory and what follows "${entry.name}" contradict each other`);
  return start + 12;
}
