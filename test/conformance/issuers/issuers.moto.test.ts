import { describeIssuer } from './describe-issuer.ts';

describeIssuer('aws-pca');
