import type { DescribeSecretCommandOutput } from '@aws-sdk/client-secrets-manager';
import { KeyturnError } from '../../core/errors.ts';
import { versionId } from './secret-name.ts';

/** Tag with the name of the instance that wrote a record. As every tag for people: nothing is decided by it. */
export const INSTANCE_TAG = 'keyturn:instance';

/** A secret in its recovery window, as AWS shows it: it is described to the end, and its content is shut. */
export interface InWindow {
  readonly name: string;
  /** As AWS says it, e.g. 2026-12-03; empty when it does not. */
  readonly deletedDate: string;
  readonly writer: 'this instance' | 'another instance' | 'a Keyturn' | 'somebody else';
  /** The tag of another instance; empty for others. */
  readonly instance: string;
}

type Described = Pick<DescribeSecretCommandOutput, 'DeletedDate' | 'Tags'> & { readonly versions: readonly string[] };

/**
 * Who wrote it. Its one version has an id that follows from its name, which nobody else writes; which instance it was tells
 * the tag alone, which others can set and older records lack.
 */
export function inWindow(
  name: string,
  { DeletedDate: at, Tags: tags = [], versions }: Described,
  own: string | null,
): InWindow {
  const tagged = tags.find(({ Key }) => Key === INSTANCE_TAG)?.Value ?? '';
  const instance = /^[\w.:/=+@-]{1,200}$/.test(tagged) ? tagged : '';
  const deletedDate = at?.toISOString().slice(0, 10) ?? '';
  if (!versions.includes(versionId(name))) return { name, deletedDate, writer: 'somebody else', instance: '' };
  if (instance === '') return { name, deletedDate, writer: 'a Keyturn', instance };
  return { name, deletedDate, writer: instance === own ? 'this instance' : 'another instance', instance };
}

/** For people: whose it is. */
export function writerOf({ writer, instance }: InWindow): string {
  if (writer === 'another instance') return `Keyturn ${instance} wrote it, which is another instance under this prefix`;
  if (writer === 'a Keyturn') return 'a Keyturn wrote it, before instances left their name';
  return writer === 'this instance' ? 'this instance wrote it' : 'somebody else wrote it, not Keyturn';
}

/** What brings it back, and what frees its name. AWS deletes nothing that is in its window, so it is restored first. */
export function commandsFor(name: string, region: string) {
  const of = `--secret-id ${name} --region ${region}`;
  const restore = `aws secretsmanager restore-secret ${of}`;
  return {
    restore,
    free: `${restore} && aws secretsmanager delete-secret --force-delete-without-recovery ${of}`,
    look: `aws secretsmanager describe-secret ${of}`,
  };
}

/** A record can't be written, since its name is taken until the window ends. */
export function nameTaken(found: InWindow, region: string): KeyturnError {
  const { name, deletedDate, writer } = found;
  const { restore, free, look } = commandsFor(name, region);
  const message = `The AWS secret ${name} is scheduled for deletion (${deletedDate}), and its name taken until then: ${writerOf(found)}.`;
  const gone = 'Or, if nobody needs it any more, have its name free at once, for good:';
  const fix =
    writer === 'somebody else'
      ? `See whose it is: ${look}. With their consent: ${free}`
      : writer === 'another instance'
        ? `Give each instance a prefix of its own. ${gone} ${free}`
        : `If it is the same record, bring it back and try again: ${restore}. ${gone} ${free}`;
  return new KeyturnError('keystore_conflict', message, { fix });
}
