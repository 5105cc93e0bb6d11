import { describeSecrecy } from './store-secrets/describe-secrecy.ts';
import { startRemoteVault } from './stores/remote-vault.ts';

describeSecrecy(startRemoteVault);
