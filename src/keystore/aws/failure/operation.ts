/** Calls that Keyturn makes, each with the IAM actions it may need; the first is its own. */
export const OPERATIONS = {
  CreateSecret: [
    'secretsmanager:CreateSecret',
    'secretsmanager:TagResource',
    'secretsmanager:ReplicateSecretToRegions',
  ],
  GetSecretValue: ['secretsmanager:GetSecretValue'],
  DescribeSecret: ['secretsmanager:DescribeSecret'],
  ListSecrets: ['secretsmanager:ListSecrets'],
  DeleteSecret: ['secretsmanager:DeleteSecret'],
  RemoveRegionsFromReplication: ['secretsmanager:RemoveRegionsFromReplication'],
  GenerateDataKeyWithoutPlaintext: ['kms:GenerateDataKeyWithoutPlaintext'],
  Decrypt: ['kms:Decrypt'],
  DescribeKey: ['kms:DescribeKey'],
  IssueCertificate: ['acm-pca:IssueCertificate'],
  GetCertificate: ['acm-pca:GetCertificate'],
  RevokeCertificate: ['acm-pca:RevokeCertificate'],
  DescribeCertificateAuthority: ['acm-pca:DescribeCertificateAuthority'],
} as const satisfies Record<string, readonly [string, ...string[]]>;

export type Operation = keyof typeof OPERATIONS;

/** What Secrets Manager does with the key of AWS KMS on our behalf; a denial of it is a denial of ours. */
export const KMS_ACTIONS: Readonly<Partial<Record<Operation, string>>> = {
  CreateSecret: 'kms:GenerateDataKey and kms:Decrypt',
  GetSecretValue: 'kms:Decrypt',
};

export interface Call {
  readonly operation: Operation;
  /** What it is about, for people: `secret keyturn/versions/lean/sandbox/3`. No secret. */
  readonly about: string;
  /** File under policies/aws/ that grants it. */
  readonly policy: string;
  readonly region: string;
}
