import { request } from 'node:http';
import { buffer } from 'node:stream/consumers';

/** The account that moto plays. */
export const ACCOUNT = '123456789012';

const TARGETS: Readonly<Record<string, string>> = {
  secretsmanager: 'secretsmanager',
  TrentService: 'kms',
  ACMPrivateCA: 'acm-pca',
};

/** A call in the AWS JSON 1.1 protocol. */
export interface AwsCall {
  /** As IAM names it: `secretsmanager:GetSecretValue`, `kms:Decrypt`, `acm-pca:IssueCertificate`. */
  readonly action: string;
  readonly operation: string;
  readonly region: string;
  readonly input: Readonly<Record<string, unknown>>;
  /** First part of the name of the secret that it is about; empty when it is about none. */
  readonly prefix: string;
}

export interface AwsAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

export interface Refusal {
  readonly type: string;
  readonly message: string;
  /** Default: 400. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The service by its target header, the region by the scope of the signature. */
export function parseCall(headers: Readonly<Record<string, string | string[] | undefined>>, body: Buffer): AwsCall {
  const [prefix = '', operation = ''] = String(headers['x-amz-target']).split('.');
  const region = /Credential=[^/]+\/\d+\/([a-z0-9-]+)\//.exec(String(headers['authorization']))?.[1] ?? 'us-east-1';
  const input = JSON.parse(body.toString()) as Record<string, unknown>;
  return { action: `${TARGETS[prefix] ?? prefix}:${operation}`, operation, region, input, prefix: prefixOf(input) };
}

function prefixOf(input: Readonly<Record<string, unknown>>): string {
  const filters = Array.isArray(input['Filters']) ? (input['Filters'] as { Values: string[] }[]) : [];
  const name = input['SecretId'] ?? input['Name'] ?? filters[0]?.Values[0] ?? '';
  return typeof name === 'string' ? (name.split('/')[0] ?? '') : '';
}

export function refused({ type, message, status = 400, headers = {} }: Refusal): AwsAnswer {
  return {
    status,
    headers: { 'content-type': 'application/x-amz-json-1.1', 'x-amzn-requestid': 'test', ...headers },
    body: Buffer.from(JSON.stringify({ __type: type, message })),
  };
}

/** Passes octets on as they are. */
export async function forward(
  url: string,
  headers: Readonly<Record<string, string | string[] | undefined>>,
  body: Buffer,
): Promise<AwsAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<AwsAnswer>();
  const sent = request(url, { method: 'POST', headers, agent: false }, (response) => {
    buffer(response).then((octets) => {
      const kept = { 'content-type': response.headers['content-type'] ?? 'application/x-amz-json-1.1' };
      resolve({ status: response.statusCode ?? 0, headers: kept, body: octets });
    }, reject);
  });
  sent.on('error', reject);
  sent.end(body);
  return promise;
}

export type Json = Readonly<Record<string, unknown>>;

/** Asks moto itself, past every correction and permission. Null where it refuses; throws where it fails. */
export async function askMoto(url: string, region: string, action: string, input: Json): Promise<Json | null> {
  const [service = '', operation = ''] = action.split(':');
  const target = Object.keys(TARGETS).find((name) => TARGETS[name] === service) ?? service;
  const body = Buffer.from(JSON.stringify(input));
  const headers = {
    'content-type': 'application/x-amz-json-1.1',
    'content-length': String(body.length),
    'x-amz-target': `${target}.${operation}`,
    authorization: `AWS4-HMAC-SHA256 Credential=moto/20260101/${region}/${service}/aws4_request, SignedHeaders=host, Signature=0`,
  };
  const answer = await forward(url, headers, body);
  if (answer.status >= 500) throw new Error(`moto failed at ${action}: ${answer.body.toString().slice(0, 300)}`);
  return answer.status === 200 ? (JSON.parse(answer.body.toString() || '{}') as Json) : null;
}
