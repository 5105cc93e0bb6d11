import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Server } from 'node:http';
import { createServer, type Server as HttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { SecureContextOptions } from 'node:tls';
import { type Api, createApi, pathOf } from './api.ts';
import type { ClientCertificate, ClientCertificateOptions, Environment, PartnerAuthority } from './authority.ts';
import type { ForeignAuthority, Partner, PartnerOptions } from './partner.ts';
import { createPortal, createPortalServer, type Portal, type PortalDesk } from './portal.ts';
import { Recent, type Refused, type Seen } from './seen.ts';
import { FailurePlan, QUIET, type Switches } from './switches.ts';
import { serverContext } from './tls/context.ts';
import { MtlsListener } from './tls/mtls-listener.ts';

const KEPT_RECORDS = 10_000;

interface ServerIdentity {
  readonly key: string;
  readonly cert: string;
}

export interface PartnerParts {
  readonly options: PartnerOptions;
  readonly authority: PartnerAuthority;
  readonly right: ServerIdentity;
  readonly wrong: ServerIdentity;
  readonly crls: readonly string[];
}

/** Ties portal, authority and both API servers together; what a change means for live connections is decided here. */
export class RunningPartner implements Partner, PortalDesk {
  readonly environment: Environment;
  readonly appToken = randomBytes(16).toString('hex');
  readonly portal: Portal;
  portalUrl = '';
  tokenUrl = '';
  mtlsUrl = '';
  readonly #parts: PartnerParts;
  readonly #authority: PartnerAuthority;
  readonly #seen = new Recent<Seen>(KEPT_RECORDS);
  readonly #refused = new Recent<Refused>(KEPT_RECORDS);
  readonly #portalServer: Server;
  readonly #tokenServer: HttpsServer;
  readonly #mtls: MtlsListener;
  #switches: Switches;
  #failures: FailurePlan;
  #refreshing: Promise<void> = Promise.resolve();
  #others: ForeignAuthority | null = null;

  constructor(parts: PartnerParts) {
    this.#parts = parts;
    this.#authority = parts.authority;
    this.environment = parts.options.environment ?? 'sandbox';
    this.#switches = { ...QUIET, ...parts.options.switches };
    this.#failures = new FailurePlan(this.#switches.failWith);
    this.portal = createPortal(this);
    this.#portalServer = createPortalServer(this.portal, this);
    const api = createApi({
      appToken: this.appToken,
      banksBytes: parts.options.banksBytes ?? 0,
      delayMs: () => this.#switches.delayMs,
      nextFailure: () => this.#failures.next(),
    });
    this.#tokenServer = createServer({ ...this.#tokenContext(), keepAliveTimeout: 60_000 }, (request, response) =>
      api(request, response, null),
    );
    this.#mtls = this.#createMtls(api);
  }

  #createMtls(api: Api): MtlsListener {
    return new MtlsListener({
      context: this.#mtlsContext(this.#parts.crls),
      refuseBy: () => this.#switches.refuseBy,
      isDead: (fingerprint) => this.#isDead(fingerprint),
      onRefused: (refused) => this.#refused.add({ ...refused, at: Date.now() }),
      onRequest: (request, response, peer) => {
        const { serial, spki, resumed, socketId } = peer;
        this.#seen.add({ serial, spki, path: pathOf(request), at: Date.now(), resumed, socketId });
        api(request, response, peer);
      },
    });
  }

  async listen(): Promise<void> {
    for (const server of [this.#portalServer, this.#tokenServer]) {
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
    }
    this.portalUrl = `http://localhost:${portOf(this.#portalServer)}`;
    this.tokenUrl = `https://localhost:${portOf(this.#tokenServer)}`;
    this.mtlsUrl = `https://localhost:${await this.#mtls.listen()}`;
  }

  get chainPem(): string {
    return this.#authority.chainPem;
  }

  get seen(): readonly Seen[] {
    return this.#seen.all();
  }

  get refused(): readonly Refused[] {
    return this.#refused.all();
  }

  get switches(): Switches {
    return this.#switches;
  }

  get liveSockets(): number {
    return this.#mtls.liveSockets;
  }

  chain(): string {
    return this.chainPem;
  }

  async issue(options: ClientCertificateOptions): Promise<ClientCertificate> {
    const made = await this.#authority.issueClient(options);
    if (this.#switches.onlyNewest) await this.#killAllButNewest();
    return made;
  }

  async revoke(serial: string, app?: string): Promise<boolean> {
    const found = this.#authority.find(serial);
    if (found === null || (app !== undefined && found.app !== app)) return false;
    this.#authority.revoke(serial);
    this.#mtls.dropDead();
    await this.#refresh();
    return true;
  }

  async set(changes: Partial<Switches>): Promise<void> {
    this.#switches = { ...this.#switches, ...changes };
    if ('failWith' in changes) this.#failures = new FailurePlan(this.#switches.failWith);
    if (changes.onlyNewest === true) await this.#killAllButNewest();
    this.#mtls.dropDead();
    await this.#refresh();
  }

  async trust(others: ForeignAuthority): Promise<void> {
    this.#others = others;
    await this.#refresh();
  }

  crls(): Promise<string[]> {
    return this.#authority.crls();
  }

  async stop(): Promise<void> {
    const closed = [this.#portalServer, this.#tokenServer].map((server) => {
      const done = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      return done;
    });
    await Promise.all([...closed, this.#mtls.stop()]);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  #isDead(fingerprint: string): boolean {
    return !this.#switches.keepAcceptingRevoked && this.#authority.isRevoked(fingerprint);
  }

  async #killAllButNewest(): Promise<void> {
    for (const app of this.#authority.apps()) {
      for (const serial of this.#authority.live(app).slice(0, -1)) this.#authority.revoke(serial);
    }
    this.#mtls.dropDead();
    await this.#refresh();
  }

  /** One after the other, each with the newest state: an older CRL must not overtake a newer one. */
  #refresh(): Promise<void> {
    this.#refreshing = this.#refreshing.then(async () => {
      const crls = await this.#authority.crls();
      this.#mtls.setContext(this.#mtlsContext(crls));
      this.#tokenServer.setSecureContext(this.#tokenContext());
    });
    return this.#refreshing;
  }

  #mtlsContext(crls: readonly string[]): SecureContextOptions {
    return serverContext({
      ...this.#tlsOptions(),
      ca: this.#authority.chainPem + (this.#others?.ca ?? ''),
      ...(this.#switches.keepAcceptingRevoked ? {} : { crl: [...crls, ...(this.#others?.crls ?? [])] }),
    });
  }

  #tokenContext(): SecureContextOptions {
    return serverContext(this.#tlsOptions());
  }

  #tlsOptions() {
    const { tls, resumption = false } = this.#parts.options;
    const identity = this.#switches.wrongChain ? this.#parts.wrong : this.#parts.right;
    return { ...identity, resumption, ...(tls === undefined ? {} : { tls }) };
  }
}

function portOf(server: Server | HttpsServer): number {
  return (server.address() as AddressInfo).port;
}
