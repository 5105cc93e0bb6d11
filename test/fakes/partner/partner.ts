import { type KeyKind, TestCa } from '../ca.ts';
import { type Environment, PartnerAuthority } from './authority.ts';
import type { Portal } from './portal.ts';
import { RunningPartner } from './running-partner.ts';
import type { Refused, Seen } from './seen.ts';
import type { Switches } from './switches.ts';
import type { TlsVersion } from './tls/context.ts';

export interface PartnerOptions {
  /** Each partner has CAs of its own anyway; this names them. Default: sandbox. */
  readonly environment?: Environment;
  /** Kind of the CAs' and the API servers' keys. Default: ec-p256. */
  readonly serverKey?: KeyKind;
  /** This TLS version alone. Default: 1.2 and 1.3. */
  readonly tls?: TlsVersion;
  /** Least size of `GET /banks/v1`. Default: 0, which gives three banks. */
  readonly banksBytes?: number;
  /** True leaves Node's session tickets on, which a partner must not: to show what resumption would do. */
  readonly resumption?: boolean;
  readonly switches?: Partial<Switches>;
}

/** Somebody else's authority, as the partner knows it; PEM. */
export interface ForeignAuthority {
  readonly ca: string;
  /** One for each of its certificates. */
  readonly crls: readonly string[];
}

/** A running stand-in for the open-banking partner: portal, mTLS API and token-only API on loopback. */
export interface Partner {
  readonly environment: Environment;
  /** `http://localhost:…`, no slash at the end, as the others. */
  readonly portalUrl: string;
  readonly mtlsUrl: string;
  readonly tokenUrl: string;
  /** For the header `lean-app-token`. */
  readonly appToken: string;
  /** Intermediate first, root last. */
  readonly chainPem: string;
  readonly portal: Portal;
  /** The newest 10,000 requests that reached the mTLS API. */
  readonly seen: readonly Seen[];
  /** The newest 10,000 refusals of client certificates on the mTLS API. */
  readonly refused: readonly Refused[];
  readonly switches: Switches;
  /** Open connections to the mTLS API. */
  readonly liveSockets: number;
  /** Changes switches; settled when new connections see it. */
  set(changes: Partial<Switches>): Promise<void>;
  /** Kills a certificate: cuts its connections at once, settled when it is on the CRL. False for an unknown serial. */
  revoke(serial: string): Promise<boolean>;
  /** From now on what this authority issues is accepted too, and what it lists as revoked is not. */
  trust(others: ForeignAuthority): Promise<void>;
  /** The CRLs of intermediate and root, PEM. */
  crls(): Promise<string[]>;
  /** Cuts every connection; settled when nothing listens any more. */
  stop(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Ready when all three servers listen. Makes keys, nothing else; touches no file. */
export async function startPartner(options: PartnerOptions = {}): Promise<Partner> {
  const { environment = 'sandbox', serverKey = 'ec-p256' } = options;
  const authority = await PartnerAuthority.create(environment, serverKey);
  const stranger = await (await TestCa.create("Nobody's CA")).server();
  const partner = new RunningPartner({
    options,
    authority,
    right: await authority.issueServer(serverKey),
    wrong: { key: stranger.keyPem, cert: stranger.certificatePem },
    crls: await authority.crls(),
  });
  await partner.listen();
  return partner;
}
