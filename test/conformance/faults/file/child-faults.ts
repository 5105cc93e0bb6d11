import { statSync } from 'node:fs';
import type { StoreUnderFault } from '../cell.ts';
import { FileChild } from './child-process.ts';
import type { FileFault, FilePlace } from './place.ts';

const PATIENT_MS = 5_000;
/** Well below a hang of {@link HANG_MS}. */
const HURRIED_MS = 400;
const HANG_MS = 3_000;

/** A small disk of the process's own under each place, that holds what the place held. */
const SMALL_DISK = `for f in "$@"; do
  cp -a "$f" "$f.aside" && mount -t tmpfs -o size=64k,mode=700 keyturn "$f" && cp -a "$f.aside/." "$f/" && rm -r "$f.aside"
done`;
const FULL = `for f in "$@"; do dd if=/dev/zero of="$f/ballast" bs=4k 2>/dev/null || true; done`;
const READ_ONLY = `for f in "$@"; do mount -o remount,ro "$f"; done`;

/** What is done to disks and system calls of a process of its own. */
export function childFaults(): Record<string, FileFault> {
  return {
    'full disk': onDisk(`${SMALL_DISK}\n${FULL}`),
    'read-only disk': onDisk(`${SMALL_DISK}\n${READ_ONLY}`),
    'limit of file size': inChild((places) => ['prlimit', `--fsize=${sizeOf(places) + 16}`]),
    'EIO at opening': injecting('openat', 'error=EIO'),
    'EACCES at opening': injecting('openat', 'error=EACCES'),
    'EROFS at opening': injecting('openat', 'error=EROFS'),
    'EIO at looking': injecting('statx', 'error=EIO'),
    'EIO at writing': injecting('pwrite64', 'error=EIO'),
    'ENOSPC at writing': injecting('pwrite64', 'error=ENOSPC'),
    'EIO at syncing the file': injecting('fsync', 'error=EIO'),
    'EIO at syncing the folder': injecting('fsync', 'error=EIO:when=2+2'),
    'EIO at renaming': injecting('rename', 'error=EIO'),
    'sync that hangs': injecting('fsync', `delay_enter=${HANG_MS * 1000}:when=1`, HURRIED_MS),
  };
}

/** The script has the folders as its arguments; what it is put before takes its place. */
function onDisk(script: string): FileFault {
  return inChild((places) => {
    const folders = places.map(({ folder }) => `'${folder}'`).join(' ');
    return ['unshare', '-rm', 'sh', '-c', `(set -- ${folders}\n${script}\n) && exec "$@"`, 'sh'];
  });
}

function inChild(under: (places: readonly FilePlace[]) => string[], timeoutMs = PATIENT_MS): FileFault {
  let child: FileChild | null = null;
  return {
    arm: async (places) => {
      child = await FileChild.start(under(places), places[0]?.masterPath ?? '', timeoutMs);
      for (const place of places) place.seenThrough = child.root;
    },
    open: ({ path }) => later(() => child, path),
    lift: async () => child?.closeStores(),
    end: async () => child?.stop(),
  };
}

/** Injected into the thread of the file calls, once the stores were opened. */
function injecting(call: string, fault: string, timeoutMs = PATIENT_MS): FileFault {
  let child: FileChild | null = null;
  let undo: (() => Promise<string[]>) | null = null;
  return {
    arm: async (places) => {
      child = await FileChild.start([], places[0]?.masterPath ?? '', timeoutMs);
    },
    open: ({ path }) => later(() => child, path),
    strike: async () => {
      undo = (await child?.inject(call, fault)) ?? null;
    },
    lift: async () => {
      const injected = await undo?.();
      await child?.closeStores();
      if (injected?.length === 0) throw new Error(`No ${call} was hit.`);
    },
    end: async () => child?.stop(),
  };
}

function later(child: () => FileChild | null, path: string): StoreUnderFault {
  return {
    run: async (verb) => {
      const running = child();
      if (running === null) throw new Error('The store process was not started.');
      return running.store(path).run(verb);
    },
    close: async () => {},
  };
}

function sizeOf(places: readonly FilePlace[]): number {
  return Math.max(...places.map(({ path }) => statSync(path).size));
}
