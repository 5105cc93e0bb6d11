import { hash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isKeyturnError } from '../core/errors.ts';
import type { Certificate } from '../x509/certificate.ts';
import { readUpload } from '../x509/upload.ts';
import { readOrigin } from './endpoint.ts';
import type { Environment, IssuerChain, ServerTrust } from './environment.ts';
import { invalidProfile } from './invalid.ts';
import { lifecycleOf } from './lifecycle/build.ts';
import { parseProfile } from './parse.ts';
import { type Profile, Profiles } from './profiles.ts';
import type { EnvironmentDocument } from './schema.ts';

const MAX_FILE_BYTES = 256 * 1024;

/**
 * Loads every `*.yaml` of a folder, and the certificate files they name, whole or not at all. Read by an operator's
 * hand; still nothing outside the folder is opened.
 * @throws KeyturnError `profile_invalid`: the first fault found, with file, path within it, and what to do.
 */
export async function loadProfiles(folder: string): Promise<Profiles> {
  const read = new FolderReader(folder);
  const profiles: Profile[] = [];
  for (const file of await profileFiles(folder)) profiles.push(await loadProfile(read, file));
  return new Profiles(profiles, read.digest);
}

async function profileFiles(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => {
    throw invalidProfile(folder, '', 'is a folder that can’t be read', 'Check the path and its mode.');
  });
  const odd = names.find((name) => name.endsWith('.yml'));
  if (odd !== undefined) throw invalidProfile(odd, '', 'would be ignored', 'Rename it to end in .yaml.');
  // Hidden ones are an editor's own, as in the folder of the access policy.
  return names.filter((name) => name.endsWith('.yaml') && !name.startsWith('.')).toSorted();
}

async function loadProfile(folder: FolderReader, file: string): Promise<Profile> {
  const document = parseProfile(file, (await folder.read(file, file, '')).toString('utf8'));
  if (`${document.partner}.yaml` !== file) {
    throw invalidProfile(file, 'partner', 'is not the name of its file', `Name the file ${document.partner}.yaml.`);
  }
  const environments = new Map<string, Environment>();
  for (const [name, environment] of Object.entries(document.environments)) {
    const read = (path: string, named: string) => readCertificates(folder, file, `environments.${name}.${path}`, named);
    const lifecycle = lifecycleOf(environment, document.contacts, (path, what, fix) =>
      invalidProfile(file, `environments.${name}.${path}`, what, fix),
    );
    environments.set(name, { ...(await buildEnvironment(document.partner, name, environment, read)), lifecycle });
  }
  return { ...document, environments };
}

type Read = (path: string, named: string) => Promise<readonly Certificate[]>;

async function buildEnvironment(
  partner: string,
  name: string,
  document: EnvironmentDocument,
  read: Read,
): Promise<Omit<Environment, 'lifecycle'>> {
  const { endpoints, refusals, companions } = document;
  return {
    partner,
    name,
    endpoints: endpoints.map(({ url, mtls }) => {
      const origin = readOrigin(url);
      return { url, mtls, host: 'host' in origin ? origin.host : '' };
    }),
    issuerChain: await buildIssuerChain(document.issuerChain, read),
    serverTrust: await buildServerTrust(document.serverTrust, read),
    refusals,
    companions,
  };
}

async function buildIssuerChain(document: EnvironmentDocument['issuerChain'], read: Read): Promise<IssuerChain> {
  if (document.source === 'upload') return { source: 'upload', sha256: document.sha256 ?? null };
  return { ...document, certificates: await read('issuerChain.file', document.file) };
}

async function buildServerTrust(document: EnvironmentDocument['serverTrust'], read: Read): Promise<ServerTrust> {
  if (document.mode === 'system') return document;
  const { mode, file } = document;
  if (file === undefined) return { mode, source: 'issuer-chain' };
  return { mode, file, certificates: await read('serverTrust.file', file) };
}

async function readCertificates(
  folder: FolderReader,
  profile: string,
  path: string,
  named: string,
): Promise<readonly Certificate[]> {
  const bytes = await folder.read(named, profile, path);
  try {
    const { key, certificates } = await readUpload([{ name: named, bytes }]);
    key?.pkcs8.dispose();
    if (key !== null) throw invalidProfile(profile, path, 'names a file that holds a private key');
    const leaf = certificates.find(({ isCa }) => !isCa);
    if (leaf !== undefined) throw invalidProfile(profile, path, `names "${leaf.subject}", which is no authority`);
    return certificates;
  } catch (error) {
    if (!isKeyturnError(error) || error.code === 'profile_invalid') throw error;
    throw invalidProfile(profile, path, `names a file that is not a certificate chain (${error.message})`);
  } finally {
    bytes.fill(0);
  }
}

/** Reads small files of one folder, and knows what all of them were. */
class FolderReader {
  readonly #folder: string;
  readonly #read = new Map<string, string>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** @throws KeyturnError `profile_invalid`, of what stands at `path` in `profile`. */
  async read(file: string, profile: string, path: string): Promise<Buffer> {
    const place = join(this.#folder, file);
    const found = await stat(place).catch(() => null);
    if (found === null || !found.isFile()) throw invalidProfile(profile, path, `needs ${file}, which is not there`);
    if (found.size > MAX_FILE_BYTES) throw invalidProfile(profile, path, `is larger than ${MAX_FILE_BYTES} bytes`);
    const octets = await readFile(place).catch(() => {
      throw invalidProfile(profile, path, `needs ${file}, which can’t be read`, 'Check its mode.');
    });
    this.#read.set(file, hash('sha256', octets));
    return octets;
  }

  /** Over names and content of every file that was read: SHA-256, lower-case hex. */
  get digest(): string {
    const all = [...this.#read].toSorted(([a], [b]) => (a < b ? -1 : 1));
    return hash('sha256', JSON.stringify(all));
  }
}
