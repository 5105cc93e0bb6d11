import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { SecretsClient } from './client.ts';
import { AwsStore } from './driver.ts';
import { type AwsStoreOptions, connectionOf, secretSettings } from './options.ts';

/**
 * A key store in AWS Secrets Manager. Asks nothing of AWS: a store that is down or denied shows in `health`.
 * @throws KeyturnError `config_invalid` for the options, or when no region is known.
 */
export async function openAwsStore(options: AwsStoreOptions = {}): Promise<AwsStore> {
  const settings = secretSettings(options);
  const connection = await connectionOf(options, () => new SecretsManagerClient().config.region());
  return new AwsStore(new SecretsClient(connection), connection.region, settings);
}
