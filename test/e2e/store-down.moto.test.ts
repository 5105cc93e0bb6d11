import { describeBadDays } from './stores/describe-bad-days.ts';
import { startRemoteAws } from './stores/remote-aws.ts';

describeBadDays(startRemoteAws);
