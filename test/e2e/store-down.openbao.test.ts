import { describeBadDays } from './stores/describe-bad-days.ts';
import { startRemoteVault } from './stores/remote-vault.ts';

describeBadDays(startRemoteVault);
