import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { zip } from './archive.ts';
import type { ClientCertificate, ClientCertificateOptions } from './authority.ts';

/** What the portal's buttons do, for programs. */
export interface Portal {
  /** 'Generate new certificate': the partner makes key and certificate. */
  generate(options?: ClientCertificateOptions): Promise<GeneratedCertificate>;
  /** 'Certificate chain': a zip with `lean_public_cert_chain.pem`. */
  chain(): Promise<Buffer>;
}

export interface GeneratedCertificate extends ClientCertificate {
  /** `my_app_private_key.pem` and `my_app_cert.crt`. */
  readonly zip: Buffer;
}

/** The desk behind the portal: what has consequences elsewhere in the partner. */
export interface PortalDesk {
  issue(options: ClientCertificateOptions): Promise<ClientCertificate>;
  /** False when `app` has no such certificate. */
  revoke(serial: string, app: string): Promise<boolean>;
  chain(): string;
}

export function createPortal(desk: PortalDesk): Portal {
  return {
    async generate(options = {}) {
      const made = await desk.issue(options);
      const files = { 'my_app_private_key.pem': made.keyPem, 'my_app_cert.crt': made.certificatePem };
      return { ...made, zip: await zip(files) };
    },
    chain: () => zip({ 'lean_public_cert_chain.pem': desk.chain() }),
  };
}

/**
 * The web portal: plain HTTP on loopback, no login.
 *
 * - `POST /apps/{app}/certificate` (`?key=rsa-2048` or `ec-p256`): zip with key and certificate;
 * - `GET /apps/{app}/certificate-chain`: zip with the chain;
 * - `POST /apps/{app}/certificates/{serial}/revoke`: 204.
 */
export function createPortalServer(portal: Portal, desk: PortalDesk): Server {
  return createServer((request, response) => {
    request.resume();
    route(portal, desk, request, response).catch((error: unknown) => {
      answerText(response, 500, error instanceof Error ? error.message : 'The portal failed.');
    });
  });
}

const APP = /^\/apps\/([a-z0-9_-]{1,64})\/(.+)$/;
const REVOKE = /^certificates\/([0-9a-fA-F]{1,40})\/revoke$/;

async function route(portal: Portal, desk: PortalDesk, request: IncomingMessage, response: ServerResponse) {
  const url = new URL(request.url ?? '/', 'http://localhost');
  const [, app = '', action = ''] = APP.exec(url.pathname) ?? [];
  const serial = REVOKE.exec(action)?.[1];
  if (action === 'certificate' && request.method === 'POST') {
    const key = url.searchParams.get('key') ?? 'rsa-2048';
    if (key !== 'rsa-2048' && key !== 'ec-p256') return answerText(response, 400, 'Key: rsa-2048 or ec-p256.');
    return answerZip(response, 'certificate.zip', (await portal.generate({ app, key })).zip);
  }
  if (action === 'certificate-chain' && request.method === 'GET') {
    return answerZip(response, 'certificate_chain.zip', await portal.chain());
  }
  if (serial !== undefined && request.method === 'POST') {
    if (!(await desk.revoke(serial, app))) return answerText(response, 404, 'No such certificate.');
    return void response.writeHead(204).end();
  }
  answerText(response, 404, 'No such page.');
}

function answerZip(response: ServerResponse, name: string, body: Buffer): void {
  response
    .writeHead(200, {
      'content-type': 'application/zip',
      'content-length': body.length,
      'content-disposition': `attachment; filename="${name}"`,
      'cache-control': 'no-store',
    })
    .end(body);
}

function answerText(response: ServerResponse, status: number, message: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' }).end(`${message}\n`);
}
