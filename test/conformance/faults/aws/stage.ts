import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { TlsFront } from '../../../fakes/aws/tls-front.ts';
import { FakeAws } from '../../../fakes/aws.ts';
import { TestCa } from '../../../fakes/ca.ts';

/** What the faults are planted with. */
export interface AwsStage {
  readonly aws: FakeAws;
  readonly kmsKeyId: string;
  /** The same behind TLS, with a good certificate and with one whose time is over; both of a CA that is trusted here. */
  readonly tls: TlsFront;
  readonly expired: TlsFront;
  /** Where nothing may ever arrive; what did. */
  readonly elsewhere: { readonly url: string; readonly seen: string[] };
  stop(): Promise<void>;
}

export async function startAwsStage(): Promise<AwsStage> {
  const aws = await FakeAws.start();
  const ca = await TestCa.create();
  const trusted = getCACertificates('default');
  // The SDK is given no CA by us: it trusts what the process trusts.
  setDefaultCACertificates([...trusted, ca.certificatePem]);
  const past = { notBefore: new Date(0), notAfter: new Date(Date.now() - 1_000) };
  const tls = await TlsFront.start(await ca.server(), aws.proxy.url);
  const expired = await TlsFront.start(await ca.server(past), aws.proxy.url);
  const { server, seen } = await startElsewhere();
  return {
    aws,
    kmsKeyId: await aws.makeKey(),
    tls,
    expired,
    elsewhere: { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen },
    stop: async () => {
      setDefaultCACertificates(trusted);
      for (const front of [tls, expired]) await front[Symbol.asyncDispose]();
      server.closeAllConnections();
      server.close();
      await aws[Symbol.asyncDispose]();
    },
  };
}

async function startElsewhere(): Promise<{ server: Server; seen: string[] }> {
  const seen: string[] = [];
  const server = createServer(({ method, url }, response) => {
    seen.push(`${method} ${url}`);
    response.end('{}');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, seen };
}
