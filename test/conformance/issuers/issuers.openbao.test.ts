import { describeIssuer } from './describe-issuer.ts';

describeIssuer('vault-pki');
