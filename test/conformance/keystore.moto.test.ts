import { describeKeyStore } from './describe-keystore.ts';

describeKeyStore('aws');
