import { type Issued, TestCa } from '../../fakes/ca.ts';
import { startNginx } from '../../fakes/nginx.ts';
import { startPartner } from '../../fakes/partner/partner.ts';

/** A partner whose certificates are rotated: what its portal gives, and what it does when it is asked to revoke. */
export interface RotatedPartner extends AsyncDisposable {
  readonly mtlsUrl: string;
  readonly tokenUrl: string;
  readonly path: string;
  readonly appToken: string;
  generate(): Promise<{ readonly serial: string; readonly files: Readonly<Record<string, Buffer>> }>;
  /** Settled when it holds. */
  revoke(serial: string): Promise<void>;
  /** What a revocation does besides: the same, with nothing new in it. For the control run. */
  stir(): Promise<void>;
}

/** The stand-in for the open-banking partner. */
export async function fixturePartner(): Promise<RotatedPartner> {
  const partner = await startPartner();
  const chain = await partner.portal.chain();
  const generate = async () => {
    const { serial, zip } = await partner.portal.generate({ app: 'app', key: 'ec-p256' });
    return { serial, files: { 'key.zip': zip, 'chain.zip': chain } };
  };
  return {
    mtlsUrl: partner.mtlsUrl,
    tokenUrl: partner.tokenUrl,
    path: '/banks/v1',
    appToken: partner.appToken,
    generate,
    revoke: async (serial) => {
      if (!(await partner.revoke(serial))) throw new Error('The partner knows no such certificate.');
    },
    stir: async () => {
      await partner.revoke((await generate()).serial);
    },
    [Symbol.asyncDispose]: () => partner.stop(),
  };
}

/** nginx with `ssl_verify_client` and a revocation list, which takes a reload to come into force. */
export async function nginxPartner(): Promise<RotatedPartner> {
  const ca = await TestCa.create();
  const nginx = await startNginx({
    serverCert: await ca.server(),
    clientCaPem: ca.chainPem,
    crlPem: await ca.crlPem(),
  });
  const issued = new Map<string, Issued>();
  return {
    mtlsUrl: nginx.url,
    tokenUrl: nginx.url,
    path: '/banks/v1',
    appToken: 'not-looked-at',
    async generate() {
      const made = await ca.client();
      issued.set(made.serial, made);
      return {
        serial: made.serial,
        files: { 'all.pem': Buffer.from(made.keyPem + made.certificatePem + ca.chainPem) },
      };
    },
    async revoke(serial) {
      const made = issued.get(serial);
      if (made === undefined) throw new Error('The authority knows no such certificate.');
      ca.revoke(made);
      await nginx.reload(await ca.crlPem());
    },
    stir: async () => nginx.reload(await ca.crlPem()),
    [Symbol.asyncDispose]: () => nginx[Symbol.asyncDispose](),
  };
}
