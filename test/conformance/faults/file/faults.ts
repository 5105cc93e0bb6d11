import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, readFileSync, renameSync, symlinkSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { SecretBytes } from '../../../../src/core/secret-bytes.ts';
import { keyFile } from '../../../../src/keystore/file/master/key-file.ts';
import { childFaults } from './child-faults.ts';
import { type FileFault, type FilePlace, type FileStage, openHere, plant } from './place.ts';

const HOLDER = fileURLToPath(new URL('../../../keystore/file/disk/lock-holder.ts', import.meta.url));

export function faultsOf(stage: FileStage): Record<string, FileFault> {
  return { ...damages(stage), ...surroundings(stage), ...childFaults() };
}

/** A thing done to every file, before the store is opened and while it is open. */
function both(stage: FileStage, name: string, done: (place: FilePlace) => void, more: Partial<FileFault> = {}) {
  const open = (place: FilePlace) => openHere(place, stage.master);
  const all = async (places: readonly FilePlace[]) => places.forEach(done);
  return {
    [name]: { open, arm: all, ...more },
    [`${name} while it is open`]: { open, strike: all, ...more },
  };
}

function damages(stage: FileStage): Record<string, FileFault> {
  const damaged = { before: ['damage as planted'] };
  return {
    'no fault': { open: (place) => openHere(place, stage.master) },
    ...both(stage, 'older copy put in place', (place) => plant(place, place.older), { before: [] }),
    ...both(stage, 'another file put in place', (place) => {
      writeFileSync(`${place.path}.other`, readFileSync(place.path), { mode: 0o600 });
      renameSync(`${place.path}.other`, place.path);
    }),
    ...both(
      stage,
      'file cut short',
      (place) => {
        truncateSync(place.path, readFileSync(place.path).length - 20);
        place.planted = readFileSync(place.path);
      },
      damaged,
    ),
    ...both(stage, 'one octet corrupted', (place) => plant(place, withOctetChanged(readFileSync(place.path))), damaged),
    ...both(stage, 'file gone', ({ path }) => unlinkSync(path), { before: ['no file'] }),
  };
}

function withOctetChanged(octets: Buffer): Buffer {
  const at = octets.length - 40;
  octets.writeUInt8(octets.readUInt8(at) ^ 1, at);
  return octets;
}

function surroundings(stage: FileStage): Record<string, FileFault> {
  const { master } = stage;
  const away = ({ folder }: FilePlace) => renameSync(folder, `${folder}.away`);
  const back = async (places: readonly FilePlace[]) => {
    for (const { folder } of places) renameSync(`${folder}.away`, folder);
  };
  const other = {
    kind: 'key',
    description: 'another key',
    read: async () => SecretBytes.copyOf(Buffer.alloc(32, 7)),
  } as const;
  return {
    ...both(stage, 'file open to others', ({ path }) => chmodSync(path, 0o644)),
    ...both(stage, 'folder open to others', ({ folder }) => chmodSync(folder, 0o755)),
    ...both(stage, 'folder gone', away, { lift: back }),
    'symbolic link instead of the file': {
      open: (place) => openHere(place, master),
      arm: async (places) => {
        for (const { path } of places) {
          renameSync(path, `${path}.real`);
          symlinkSync(`${path}.real`, path);
        }
      },
    },
    'lock held by another process': lockHeld(stage),
    'lock file replaced while it is open': {
      open: (place) => openHere(place, master),
      strike: async (places) => {
        for (const { path } of places) {
          unlinkSync(`${path}.lock`);
          writeFileSync(`${path}.lock`, '', { mode: 0o600 });
        }
      },
    },
    'another master key': { open: (place) => openHere(place, other) },
    'master key gone': { open: (place) => openHere(place, keyFile(`${place.masterPath}.none`)) },
  };
}

function lockHeld({ master }: FileStage): FileFault {
  let holders: { kill(signal: 'SIGKILL'): boolean }[] = [];
  return {
    open: (place) => openHere(place, master),
    arm: async (places) => {
      holders = await Promise.all(
        places.map(async ({ path }) => {
          const child = spawn(process.execPath, [HOLDER, path], { stdio: ['ignore', 'pipe', 'inherit'] });
          const [answer] = (await once(child.stdout, 'data')) as [Buffer];
          if (answer.toString() !== 'held\n') throw new Error(`The lock was not taken: ${answer.toString()}`);
          return child;
        }),
      );
    },
    lift: async () => {
      for (const holder of holders) holder.kill('SIGKILL');
    },
  };
}
