/** What the central directory of a zip says about one entry, checked for sense. */
export interface ArchiveEntry {
  readonly name: string;
  readonly rawName: Buffer;
  readonly isFolder: boolean;
  readonly flags: number;
  /** 0 stored, 8 deflated; nothing else comes through. */
  readonly method: number;
  readonly crc32: number;
  readonly compressedSize: number;
  readonly size: number;
  readonly offset: number;
}
