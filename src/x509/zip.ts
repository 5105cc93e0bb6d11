import type { Readable } from 'node:stream';
import { crc32 } from 'node:zlib';
import { type Entry, fromBufferPromise, type ZipFile as YauzlFile } from 'yauzl';
import { isKeyturnError } from '../core/errors.ts';
import type { ArchiveEntry } from './archive/archive-entry.ts';
import { readDirectory } from './archive/directory.ts';
import { isResourceFile } from './archive/entry-name.ts';
import { rejected } from './archive/rejected.ts';

/** More than the entries may hold unpacked, and their headers. */
const MAX_ZIP_BYTES = 2 * 1024 * 1024;

/** One file out of an archive. May hold a private key: whoever reads it wipes `bytes`. */
export interface ZipFile {
  /** As written in the archive, folders included. A label for messages, never a path. */
  readonly name: string;
  /** A Buffer of its own. */
  readonly bytes: Buffer;
}

/** True for the start of an archive, an empty one and a split one included. */
export function looksLikeZip(bytes: Buffer): boolean {
  return bytes.length >= 4 && [0x04034b50, 0x06054b50, 0x08074b50].includes(bytes.readUInt32LE(0));
}

/**
 * Unpacks a zip in memory, never to disk. The archive may come from an attacker: at most 64 entries of 256 KiB, 1 MiB
 * in all (octets that really came out are counted), 100 times the packed size; see `archive/` for what else is refused.
 * Folders and macOS resource files are left out of the answer.
 * @throws KeyturnError `archive_rejected`, naming what was found
 */
export async function readZip(bytes: Buffer): Promise<ZipFile[]> {
  if (bytes.length > MAX_ZIP_BYTES) throw rejected(`it is larger than ${MAX_ZIP_BYTES} bytes`);
  const entries = readDirectory(bytes);
  const files: ZipFile[] = [];
  try {
    const zip = await fromBufferPromise(bytes, { decodeStrings: false, validateEntrySizes: false });
    let index = 0;
    for await (const seen of zip.eachEntry()) {
      const file = await unpack(zip, seen, entries[index++], bytes);
      if (file !== null) files.push(file);
    }
    if (index !== entries.length) throw rejected('two readers count its entries differently');
    return files;
  } catch (error) {
    for (const file of files) file.bytes.fill(0);
    if (isKeyturnError(error)) throw error;
    throw rejected('its content does not unpack');
  }
}

/** Null for a folder and for what is of no use, which is unpacked and checked all the same. */
async function unpack(
  zip: YauzlFile,
  seen: Entry,
  entry: ArchiveEntry | undefined,
  source: Buffer,
): Promise<ZipFile | null> {
  const same =
    entry !== undefined &&
    seen.relativeOffsetOfLocalHeader === entry.offset &&
    seen.compressedSize === entry.compressedSize &&
    seen.uncompressedSize === entry.size;
  if (!same) throw rejected('two readers see its entries differently');
  const content = await inflate(await zip.openReadStreamPromise(seen), entry, source);
  if (looksLikeZip(content)) throw rejected(`"${entry.name}" is a zip within the zip`);
  if (!entry.isFolder && !isResourceFile(entry.name)) return { name: entry.name, bytes: content };
  content.fill(0);
  return null;
}

/** Stops at the first octet beyond the announced size, so that a lie costs no memory. */
async function inflate(stream: Readable, entry: ArchiveEntry, source: Buffer): Promise<Buffer> {
  const content = Buffer.alloc(entry.size);
  let length = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    const fits = length + chunk.length <= content.length;
    if (fits) content.set(chunk, length);
    length += chunk.length;
    // What was stored unpacked comes as a view on the upload, which is not ours to wipe.
    if (chunk.buffer !== source.buffer) chunk.fill(0);
    if (!fits) break;
  }
  const consumed = 'bytesWritten' in stream ? stream.bytesWritten : entry.compressedSize;
  if (length === entry.size && consumed === entry.compressedSize && crc32(content) === entry.crc32) return content;
  content.fill(0);
  throw rejected(`"${entry.name}" does not unpack to the size and checksum that are announced`);
}
