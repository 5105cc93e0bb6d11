import { randomUUID } from 'node:crypto';
import { inspect } from 'node:util';
import { isKeyturnError } from '../../../../src/core/errors.ts';
import { SecretBytes } from '../../../../src/core/secret-bytes.ts';
import { openAwsStore } from '../../../../src/keystore/aws/aws-store.ts';
import type { AwsStoreOptions } from '../../../../src/keystore/aws/options.ts';
import { versionId } from '../../../../src/keystore/aws/secret-name.ts';
import type { KeyStoreDriver } from '../../../../src/keystore/driver.ts';
import type { FakeAws } from '../../../fakes/aws.ts';

export const VERBS = ['write', 'read', 'list', 'destroy', 'health'] as const;
export type Verb = (typeof VERBS)[number];
export type Row = Readonly<Record<Verb, string>>;

/** Before each cell this record stands; `write` makes the other, `read` and `destroy` mean this. */
export const STANDING = 'versions/fault/cell/1';
export const WRITTEN = 'versions/fault/cell/2';

/** Octets that must show nowhere. */
export const CANARY = Buffer.from('canary-octets-9f86d081884c7d659a2f');

export interface Cell {
  readonly verb: Verb;
  readonly prefix: string;
  readonly options: AwsStoreOptions;
}

export interface CellResult {
  /** What the verb said, and behind the arrow what AWS then holds. */
  readonly outcome: string;
  /** What the adapter said: messages, advice, inspections of the error and of itself. */
  readonly said: string;
}

/** A cell with its record in place, under a prefix of its own. */
export async function prepare(aws: FakeAws, verb: Verb, options: AwsStoreOptions): Promise<Cell> {
  const prefix = `cell-${randomUUID()}`;
  await aws.ask('secretsmanager:CreateSecret', {
    Name: `${prefix}/${STANDING}`,
    ClientRequestToken: versionId(`${prefix}/${STANDING}`),
    SecretBinary: CANARY.toString('base64'),
    ...(options.kmsKeyId === undefined ? {} : { KmsKeyId: options.kmsKeyId }),
  });
  return { verb, prefix, options: { ...options, prefix } };
}

/** One verb by a driver of its own, which is asked nothing before. */
export async function runCell({ verb, options }: Cell): Promise<CellResult> {
  const driver = await openAwsStore(options);
  try {
    const { outcome, said } = await attempt(verb, driver);
    return { outcome, said: `${said}\n${inspect(driver, { depth: 8, showHidden: true })}\n${driver.description}` };
  } finally {
    await driver.close();
  }
}

/** Records of a cell that AWS holds: numbers, `!` for other octets, `x2` for a second version, `~` for one on its way out. */
export async function truth(aws: FakeAws, { prefix }: Cell): Promise<string> {
  const found: string[] = [];
  for (const [number, record] of [
    ['1', STANDING],
    ['2', WRITTEN],
  ] as const) {
    const SecretId = `${prefix}/${record}`;
    const secret = await aws.ask('secretsmanager:DescribeSecret', { SecretId });
    if (secret === null) continue;
    if (typeof secret['DeletedDate'] === 'number') {
      found.push(`${number}~`);
      continue;
    }
    const value = await aws.ask('secretsmanager:GetSecretValue', { SecretId, VersionId: versionId(SecretId) });
    const other = value?.['SecretBinary'] === CANARY.toString('base64') ? '' : '!';
    const versions = await aws.versions(SecretId);
    found.push(`${number}${other}${versions === 1 ? '' : `x${versions}`}`);
  }
  return found.join('+') || 'nothing';
}

async function attempt(verb: Verb, driver: KeyStoreDriver): Promise<CellResult> {
  try {
    if (verb === 'health') {
      const { ready, detail } = await driver.health();
      return { outcome: ready ? 'ready' : `not ready: ${detail.split(/ \(|\. | on | for secret /)[0]}`, said: detail };
    }
    return { outcome: await ask(verb, driver), said: '' };
  } catch (error) {
    if (!isKeyturnError(error)) return { outcome: 'an error that is not ours', said: inspect(error) };
    const said = [error.message, error.fix, inspect(error, { depth: 8, showHidden: true }), JSON.stringify(error)];
    const { reason, certain } = error.facts;
    const doubt = verb === 'write' || verb === 'destroy' ? (certain === false ? ', ambiguous' : ', certain') : '';
    return { outcome: reason === undefined ? error.code : `${reason}${doubt}`, said: said.join('\n') };
  }
}

async function ask(verb: Exclude<Verb, 'health'>, driver: KeyStoreDriver): Promise<string> {
  if (verb === 'list') return `done: ${(await driver.list()).length}`;
  if (verb === 'destroy') await driver.destroy(STANDING);
  if (verb === 'write') {
    using octets = SecretBytes.copyOf(CANARY);
    await driver.write(WRITTEN, octets);
  }
  if (verb === 'read') {
    using octets = await driver.read(STANDING);
    if (octets === null) return 'null';
    if (!octets.bytes.equals(CANARY)) return 'other octets';
  }
  return 'done';
}
