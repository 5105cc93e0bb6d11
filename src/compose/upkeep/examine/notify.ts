import { readFile } from 'node:fs/promises';
import { brokenBy, type Check, ok } from '../../../core/check.ts';
import { Egress } from '../../../core/egress/egress.ts';
import { sayingWay } from '../../../core/egress/examine.ts';
import { KeyturnError } from '../../../core/errors.ts';
import { readSecretFile } from '../../../notify/secret-file.ts';
import { LEAST_SECRET } from '../../../notify/webhook/webhook.ts';
import type { Config } from '../../config.ts';

/** The files of each way to people, which are read when somebody is told and not before. Nothing is sent. */
export async function examineNotify({ notify: { webhook, mail } }: Config): Promise<Check[]> {
  const checks: Check[] = [];
  if (webhook !== null) {
    const { url, secretFile, caFile } = webhook;
    checks.push(await examined('webhook', () => to(url), [secretFile, LEAST_SECRET], caFile));
  }
  if (mail !== null) {
    const { host, port, passwordFile, caFile } = mail;
    checks.push(
      await examined('mail', () => `${host}:${port}`, passwordFile === undefined ? null : [passwordFile, 1], caFile),
    );
  }
  return checks;
}

function to(url: URL): string {
  return [url.host, ...sayingWay(Egress.ofEnvironment(), url)].join(', ');
}

async function examined(
  way: string,
  to: () => string,
  secret: readonly [file: string, least: number] | null,
  caFile: string | undefined,
): Promise<Check> {
  const name = `notify by ${way}`;
  try {
    if (secret !== null) (await readSecretFile(...secret)).fill(0);
    if (caFile !== undefined) await readCa(caFile);
    return ok(name, `to ${to()}; nothing was sent`);
  } catch (error) {
    return brokenBy(name, error);
  }
}

async function readCa(file: string): Promise<void> {
  const text = await readFile(file, 'utf8').catch(() => '');
  if (text.includes('-----BEGIN CERTIFICATE-----')) return;
  throw new KeyturnError('config_invalid', `${file} holds no certificate in PEM that can be read.`, {
    fix: 'Put the authorities of the receiver there, or take ca out of keyturn.yaml.',
  });
}
