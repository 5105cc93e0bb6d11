import { broken, brokenBy, type Check, ok } from '../../../core/check.ts';
import { issuerAdapters } from '../../../issuer/registry.ts';
import type { Config } from '../../config.ts';
import type { IssuerSetting } from '../../issuers/settings.ts';

/** How long an issuer may take to say that it would serve, in milliseconds. */
const TIMEOUT_MS = 10_000;

/** Every issuer that the configuration names, as this host sees it. An authority of our own is as well as its key store. */
export function examineIssuers({ issuers, defaultStore }: Config): Promise<Check[]> {
  return Promise.all(issuers.map((setting) => examineIssuer(setting, defaultStore)));
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
