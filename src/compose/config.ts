import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { parseDocument, YAMLError } from 'yaml';
import { z } from 'zod';
import { KeyturnError } from '../core/errors.ts';
import { whyFile } from '../core/io/why-file.ts';
import { duration } from '../partner/duration.ts';
import { subjectAlternativeNames } from '../tls/names.ts';
import { type IssuerSetting, issuerSettings, issuers } from './issuers/settings.ts';
import { type NotifySetting, notify, notifySetting } from './notify/settings.ts';
import { type RotationSetting, rotation, rotationSetting } from './rotation/settings.ts';
import { recipients } from './settings/backup.ts';
import { type LedgerSetting, ledger, ledgerSetting } from './settings/ledger.ts';
import { fileOfMasterKey, type MasterKey, masterKey, parseMasterKey } from './settings/master-key.ts';
import { absoluteFrom, path, sharedFile } from './settings/path.ts';
import { OWN_STORE, type StoreSetting, storeSettings, stores } from './settings/stores.ts';

/** Name of the configuration file in an instance's folder. Paths inside are relative to that folder. */
export const CONFIG_FILE = 'keyturn.yaml';

/** unix(7): sun_path has 108 octets, the last one zero. */
const MAX_SOCKET_PATH = 107;

const certificate = z.union(
  [z.strictObject({ ca: path }), z.strictObject({ certificate: path, key: path, 'client-ca': path })],
  { error: 'give ca: PATH, or certificate, key and client-ca together' },
);

/** DNS names and IP addresses that clients call this server by. */
const names = z
  .array(z.string())
  .min(1)
  .superRefine((given, context) => {
    try {
      subjectAlternativeNames(given);
    } catch {
      context.addIssue({ code: 'custom', message: 'each is a DNS name or an IP address, without scheme or port' });
    }
  });

const HOST = 'is no address, such as 127.0.0.1, 0.0.0.0 or ::, and no DNS name; the port stands under listen.port';

function isAddressOrName(host: string): boolean {
  if (isIP(host) !== 0) return true;
  try {
    subjectAlternativeNames([host]);
    return true;
  } catch {
    return false;
  }
}

const schema = z
  .strictObject({
    listen: z.strictObject({
      host: z.string().refine(isAddressOrName, HOST).default('127.0.0.1'),
      port: z.int().min(0).max(65_535).default(8443),
      names: names.default(['localhost', '127.0.0.1']),
    }),
    /** What goes into connection files; default: the first name and the port. */
    urls: z.array(z.url({ protocol: /^https$/ })).optional(),
    certificate,
    log: z.strictObject({
      origin: z
        .string()
        .min(1)
        .max(200)
        .regex(/^[^\s+]+$/, 'must be without spaces and plus signs'),
    }),
    ledger,
    journal: z.strictObject({ path }),
    checkpoint: z.strictObject({ path }),
    keystore: z.strictObject({ path, 'master-key': masterKey }),
    stores: stores.default({}),
    /** How long a record of a key store is kept in memory, encrypted. */
    cache: z
      .union([z.literal('off'), z.strictObject({ seconds: z.int().min(1).max(60) })], {
        error: 'give {seconds: N} with 1 to 60, or off',
      })
      .default({ seconds: 5 }),
    /** Where new keys go. */
    'default-store': z.string().default(OWN_STORE),
    issuers: issuers.default({}),
    rotation: rotation.default({}),
    notify: notify.default({}),
    policies: z.strictObject({ access: path, partners: path }),
    backup: z.strictObject({ recipients: recipients.default([]) }).default({ recipients: [] }),
    socket: z.strictObject({ path }),
    leases: z
      .strictObject({ default: duration.default(900), maximum: duration.default(3_600) })
      .refine((leases) => leases.default <= leases.maximum, { error: 'default is longer than maximum' })
      .default({ default: 900, maximum: 3_600 }),
  })
  .refine((config) => config['default-store'] === OWN_STORE || config['default-store'] in config.stores, {
    path: ['default-store'],
    error: `neither ${OWN_STORE} nor the name of a member of stores`,
  })
  .superRefine((config, context) => {
    for (const [name, issuer] of Object.entries(config.issuers)) {
      if (!('store' in issuer) || issuer.store === undefined) continue;
      if (issuer.store === OWN_STORE || issuer.store in config.stores) continue;
      const message = `neither ${OWN_STORE} nor the name of a member of stores`;
      context.addIssue({ code: 'custom', path: ['issuers', name, 'store'], message });
    }
  });

/** The configuration as parsed once: absolute paths, seconds. */
export interface Config {
  readonly home: string;
  readonly listen: { readonly host: string; readonly port: number; readonly names: readonly string[] };
  readonly urls: readonly string[] | null;
  readonly certificate:
    | { readonly ca: string }
    | { readonly certificate: string; readonly key: string; readonly clientCa: string };
  readonly origin: string;
  readonly ledger: LedgerSetting;
  readonly journal: string;
  readonly checkpoint: string;
  readonly keystore: string;
  readonly masterKey: MasterKey;
  /** Key stores beside the instance's own. */
  readonly stores: readonly StoreSetting[];
  /** How long a record of a store elsewhere is kept in memory; null for not at all. */
  readonly cacheSeconds: number | null;
  /** Name of the store that takes new keys. */
  readonly defaultStore: string;
  /** Where certificates come from, beside a person at the partner. */
  readonly issuers: readonly IssuerSetting[];
  /** When versions are replaced, and at which pace. */
  readonly rotation: RotationSetting;
  /** How people hear of what they have to do. */
  readonly notify: NotifySetting;
  readonly accessPolicies: string;
  /** Whom a backup may be encrypted to. */
  readonly backupRecipients: readonly string[];
  readonly partnerProfiles: string;
  readonly socket: string;
  readonly leases: { readonly defaultSeconds: number; readonly maximumSeconds: number };
}

/**
 * Reads `keyturn.yaml` in `home`.
 * @throws KeyturnError `config_invalid`: which member, what is wrong, what to do.
 */
export async function loadConfig(home: string): Promise<Config> {
  const file = resolve(home, CONFIG_FILE);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    throw new KeyturnError('config_invalid', `${file} can't be read${whyFile(error)}.`, {
      fix: isMissing
        ? `Name the instance's folder with --home; or make an instance: keyturn init --home ${home}`
        : 'Run as the user whom the instance belongs to, and let that user read it.',
    });
  }
  return parseConfig(home, text, file);
}

/** Says where, and quotes nothing of the file. */
function notYaml(file: string, error: unknown): KeyturnError {
  const { linePos, code } = error instanceof YAMLError ? error : { linePos: undefined, code: undefined };
  const line = linePos === undefined ? '' : `, line ${linePos[0].line}`;
  if (code === 'DUPLICATE_KEY') {
    return new KeyturnError('config_invalid', `${file}${line}: a member is given twice.`, {
      fix: 'Put what belongs to it under the first one.',
    });
  }
  return new KeyturnError(
    'config_invalid',
    `${file}${line}: this is not valid YAML${code === undefined ? '' : ` (${code})`}.`,
    {
      fix: 'Correct indentation, brackets and quotes there.',
    },
  );
}

/** @throws KeyturnError `config_invalid`. */
export function parseConfig(home: string, text: string, file: string): Config {
  let document: unknown;
  try {
    const read = parseDocument(text);
    // A tag that means nothing here, such as !env, would be dropped, and what stands behind it taken as it is.
    const [fault] = [...read.errors, ...read.warnings];
    if (fault !== undefined) throw fault;
    document = read.toJS();
  } catch (error) {
    throw notYaml(file, error);
  }
  const result = schema.safeParse(document);
  if (!result.success) {
    const [issue] = result.error.issues;
    const member = issue?.path.map(String).join('.') || '(top level)';
    const what = issue?.message ?? 'is not valid';
    throw new KeyturnError('config_invalid', `${file}: ${member}: ${what}.`, {
      fix: 'Correct this member; docs/design/configuration.md lists them all.',
      facts: { member, what },
    });
  }
  const config = absolute(home, result.data);
  const shared = sharedFile(filesOf(config));
  if (shared !== null) {
    throw new KeyturnError('config_invalid', `${file}: ${shared.member}: it names the file of ${shared.with}.`, {
      fix: 'Give each of them a file of its own.',
    });
  }
  if (Buffer.byteLength(config.socket) <= MAX_SOCKET_PATH) return config;
  throw new KeyturnError('config_invalid', `${file}: socket.path: ${config.socket} is too long for a socket.`, {
    fix: `Choose a path of at most ${MAX_SOCKET_PATH} bytes: a shorter home, or socket.path elsewhere.`,
  });
}

/** Of which each is its own: a checkpoint would take the place of the keys, or the journal that of the ledger. */
function filesOf({ keystore, masterKey, ledger, journal, checkpoint, socket, stores }: Config) {
  return [
    ['keystore.path', keystore],
    ['keystore.master-key', fileOfMasterKey(masterKey)],
    ['ledger.path', 'path' in ledger ? ledger.path : null],
    ['journal.path', journal],
    ['checkpoint.path', checkpoint],
    ['socket.path', socket],
    ...stores.map((store) => [`stores.${store.name}.path`, 'path' in store ? store.path : null] as const),
  ] as const;
}

function absolute(home: string, data: z.infer<typeof schema>): Config {
  const at = absoluteFrom(home);
  const { certificate: tls, keystore } = data;
  return {
    home: resolve(home),
    listen: data.listen,
    urls: data.urls ?? null,
    certificate:
      'ca' in tls
        ? { ca: at(tls.ca) }
        : { certificate: at(tls.certificate), key: at(tls.key), clientCa: at(tls['client-ca']) },
    origin: data.log.origin,
    ledger: ledgerSetting(data.ledger, at),
    journal: at(data.journal.path),
    checkpoint: at(data.checkpoint.path),
    keystore: at(keystore.path),
    masterKey: parseMasterKey(keystore['master-key'], `${data.log.origin}/${OWN_STORE}`, at),
    cacheSeconds: data.cache === 'off' ? null : data.cache.seconds,
    stores: storeSettings(data.stores, data.log.origin, at),
    defaultStore: data['default-store'],
    issuers: issuerSettings(data.issuers, at),
    rotation: rotationSetting(data.rotation),
    notify: notifySetting(data.notify, at),
    backupRecipients: data.backup.recipients,
    accessPolicies: at(data.policies.access),
    partnerProfiles: at(data.policies.partners),
    socket: at(data.socket.path),
    leases: { defaultSeconds: data.leases.default, maximumSeconds: data.leases.maximum },
  };
}
