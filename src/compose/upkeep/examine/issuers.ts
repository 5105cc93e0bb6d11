import { broken, brokenBy, type Check, ok } from '../../../core/check.ts';
import { issuerAdapters } from '../../../issuer/registry.ts';
import type { Config } from '../../config.ts';
import type { IssuerSetting } from '../../issuers/settings.ts';

/** How long an issuer may take to say that it would serve, in milliseconds. */
const TIMEOUT_MS = 10_000;

/** Every issuer that the configuration names, as this host sees it. An authority of our own is as well as its key store. */
export async function examineIssuers({ issuers, defaultStore }: Config): Promise<Check[]> {
  const found = issuers.map(async (setting) => [
    await examineIssuer(setting, defaultStore),
    ...(await examineFiles(setting)),
  ]);
  return (await Promise.all(found)).flat();
}

/** By which it logs in; what is wrong with the settings themselves was told before. */
async function examineFiles(setting: IssuerSetting): Promise<Check[]> {
  if (setting.kind !== 'vault-pki') return [];
  const { examineSecretFiles } = await import('../../../keystore/vault/examine/secret-files.ts');
  const checks = await examineSecretFiles(setting.options).catch(() => []);
  return checks.map((check) => ({ ...check, name: `issuer ${setting.name} ${check.name}` }));
}

async function examineIssuer(setting: IssuerSetting, defaultStore: string): Promise<Check> {
  const name = `issuer ${setting.name}`;
  if (setting.kind === 'local') return ok(name, `an authority of our own, its key in ${setting.store ?? defaultStore}`);
  try {
    const driver =
      setting.kind === 'vault-pki'
        ? await issuerAdapters['vault-pki'](setting.options)
        : await issuerAdapters['aws-pca'](setting.options);
    try {
      const { ready, detail } = await driver.health(AbortSignal.timeout(TIMEOUT_MS));
      return ready ? ok(name, driver.description) : broken(name, detail, 'See docs/design/issuers.md.');
    } finally {
      await driver.close();
    }
  } catch (error) {
    return brokenBy(name, error);
  }
}
