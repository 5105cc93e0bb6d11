import { open } from 'node:fs/promises';

/**
 * The content of a file, pipe or device, which the caller wipes where it is secret; null when it is longer than `limit`
 * octets, and then no copy is left. What never ends is not read to its end.
 * @throws Node's own error when the path can't be opened or read.
 */
export async function readAtMost(path: string, limit: number): Promise<Buffer | null> {
  const read = Buffer.allocUnsafeSlow(limit + 1);
  let length = 0;
  try {
    await using file = await open(path, 'r');
    while (length <= limit) {
      // Without a position, so that a pipe can be read as well.
      const { bytesRead } = await file.read(read, length, read.length - length, null);
      if (bytesRead === 0) return Buffer.from(read.subarray(0, length));
      length += bytesRead;
    }
    return null;
  } finally {
    read.fill(0, 0, length);
  }
}
