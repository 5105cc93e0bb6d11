import type { ArchiveEntry } from './archive-entry.ts';
import { collisionKey, entryName } from './entry-name.ts';
import { type Extent, localExtent } from './local-header.ts';
import { rejected } from './rejected.ts';

const MAX_ENTRIES = 64;
const MAX_ENTRY_BYTES = 256 * 1024;
const MAX_TOTAL_BYTES = 1024 * 1024;
const MAX_RATIO = 100;

const END_SIGNATURE = 0x06054b50;
const END_BYTES = 22;
const ZIP64_LOCATOR_SIGNATURE = 0x07064b50;
const CENTRAL_SIGNATURE = 0x02014b50;
const CENTRAL_BYTES = 46;
const ZIP64_EXTRA = 0x0001;
const UNICODE_PATH_EXTRA = 0x7075;

/** Bits of the general purpose flag (APPNOTE 6.3.10 section 4.4.4). */
const ENCRYPTED = 0x0001 | 0x0040 | 0x2000;
const PATCHED = 0x0020;

/** Unix file types in the upper half of the external attributes. */
const FILE_TYPE = 0xf000;
const REGULAR = 0x8000;
const FOLDER = 0x4000;

/**
 * Reads the layout of a zip that may come from an attacker (PKWARE APPNOTE 6.3.10) and refuses all that two readers
 * could see differently: the entries must cover the file from its first octet to the directory, without gap or overlap,
 * each told the same by its local header; nothing stands before or after.
 * @throws KeyturnError `archive_rejected`
 */
export function readDirectory(bytes: Buffer): ArchiveEntry[] {
  const { count, start, end } = findDirectory(bytes);
  const entries: ArchiveEntry[] = [];
  let at = start;
  for (let index = 0; index < count; index++) {
    const { entry, next } = readCentralHeader(bytes, at, end);
    refuseOversize(entry);
    entries.push(entry);
    at = next;
  }
  if (at !== end) throw rejected('the directory holds more than it counts');
  if (entries.reduce((sum, { size }) => sum + size, 0) > MAX_TOTAL_BYTES) {
    throw rejected(`it unpacks to more than ${MAX_TOTAL_BYTES} bytes`);
  }
  refuseSameNames(entries);
  refuseGaps(
    entries.map((entry) => localExtent(bytes, entry, start)),
    start,
  );
  return entries;
}

/** APPNOTE section 4.3.16. No comment and no second disk: the record is the last 22 octets. */
function findDirectory(bytes: Buffer): { count: number; start: number; end: number } {
  const end = bytes.length - END_BYTES;
  if (end < 0 || bytes.readUInt32LE(end) !== END_SIGNATURE || bytes.readUInt16LE(end + 20) !== 0) {
    throw rejected('it does not end with its directory: cut short, or data or a comment follows');
  }
  const count = bytes.readUInt16LE(end + 10);
  const size = bytes.readUInt32LE(end + 12);
  const start = bytes.readUInt32LE(end + 16);
  const hasLocator = end >= 20 && bytes.readUInt32LE(end - 20) === ZIP64_LOCATOR_SIGNATURE;
  if (hasLocator || count === 0xffff || size === 0xffffffff || start === 0xffffffff) throw zip64();
  if (bytes.readUInt32LE(end + 4) !== 0 || bytes.readUInt16LE(end + 8) !== count)
    throw rejected('it is split in parts');
  if (start + size !== end) throw rejected('its directory is not where it says: data was put before or between');
  if (count === 0) throw rejected('it is empty');
  if (count > MAX_ENTRIES) throw rejected(`it holds more than ${MAX_ENTRIES} entries`);
  return { count, start, end };
}

/** APPNOTE section 4.3.12. */
function readCentralHeader(bytes: Buffer, at: number, limit: number): { entry: ArchiveEntry; next: number } {
  if (at + CENTRAL_BYTES > limit || bytes.readUInt32LE(at) !== CENTRAL_SIGNATURE)
    throw rejected('its directory is broken');
  const nameEnd = at + CENTRAL_BYTES + bytes.readUInt16LE(at + 28);
  const extraEnd = nameEnd + bytes.readUInt16LE(at + 30);
  const next = extraEnd + bytes.readUInt16LE(at + 32);
  if (next > limit) throw rejected('its directory is broken');
  const rawName = bytes.subarray(at + CENTRAL_BYTES, nameEnd);
  const name = entryName(rawName);
  const entry: ArchiveEntry = {
    name,
    rawName,
    isFolder: name.endsWith('/'),
    flags: bytes.readUInt16LE(at + 8),
    method: bytes.readUInt16LE(at + 10),
    crc32: bytes.readUInt32LE(at + 16),
    compressedSize: bytes.readUInt32LE(at + 20),
    size: bytes.readUInt32LE(at + 24),
    offset: bytes.readUInt32LE(at + 42),
  };
  if (bytes.readUInt16LE(at + 34) !== 0) throw rejected('it is split in parts');
  refuseExtras(bytes.subarray(nameEnd, extraEnd));
  refuseSpecial(entry, bytes.readUInt16LE(at + 40));
  return { entry, next };
}

/** Symbolic links, devices, encrypted entries, methods that nobody needs for a certificate. */
function refuseSpecial({ name, isFolder, flags, method, size }: ArchiveEntry, mode: number): void {
  const type = mode & FILE_TYPE;
  if (type !== 0 && type !== (isFolder ? FOLDER : REGULAR)) {
    throw rejected(`"${name}" is a symbolic link, a device or another special file`);
  }
  if ((flags & ENCRYPTED) !== 0) throw rejected(`"${name}" is encrypted; unpack it and upload the files`);
  if ((flags & PATCHED) !== 0 || (method !== 0 && method !== 8)) throw rejected(`"${name}" is packed in a rare way`);
  if (isFolder && size !== 0) throw rejected(`the folder "${name}" holds data of its own`);
}

/** APPNOTE section 4.5: a zip64 field could say other sizes, a Unicode path another name. */
function refuseExtras(extra: Buffer): void {
  for (let at = 0; at < extra.length; ) {
    if (at + 4 > extra.length) throw rejected('an extra field is broken');
    const id = extra.readUInt16LE(at);
    at += 4 + extra.readUInt16LE(at + 2);
    if (at > extra.length) throw rejected('an extra field is broken');
    if (id === ZIP64_EXTRA) throw zip64();
    if (id === UNICODE_PATH_EXTRA) throw rejected('an entry has two names');
  }
}

function refuseOversize({ name, size, compressedSize }: ArchiveEntry): void {
  if (size === 0xffffffff || compressedSize === 0xffffffff) throw zip64();
  if (size > MAX_ENTRY_BYTES) throw rejected(`"${name}" unpacks to more than ${MAX_ENTRY_BYTES} bytes`);
  if (size > compressedSize * MAX_RATIO) throw rejected(`"${name}" unpacks to more than ${MAX_RATIO} times its size`);
}

function refuseSameNames(entries: readonly ArchiveEntry[]): void {
  const seen = new Set<string>();
  for (const { name } of entries) {
    const key = collisionKey(name);
    if (seen.has(key)) throw rejected(`the name "${name}" is there twice`);
    seen.add(key);
  }
}

function refuseGaps(extents: readonly Extent[], end: number): void {
  let at = 0;
  for (const extent of extents.toSorted((a, b) => a.start - b.start)) {
    if (extent.start < at) throw rejected('entries overlap');
    if (extent.start > at) throw rejected('there is data before or between the entries');
    at = extent.end;
  }
  if (at !== end) throw rejected('there is data before or between the entries');
}

function zip64() {
  return rejected('it is written as zip64, which a file this small has no reason to be');
}
