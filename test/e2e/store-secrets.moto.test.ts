import { describeSecrecy } from './store-secrets/describe-secrecy.ts';
import { startRemoteAws } from './stores/remote-aws.ts';

describeSecrecy(startRemoteAws);
