import type { KeyObject } from 'node:crypto';
import { certificatesIn } from '../../../src/issuer/certificates.ts';
import type {
  Asked,
  Awaited,
  DriverIssued,
  FoundCertificate,
  IssueRequest,
  IssuerDriver,
  IssuerHealth,
  Revoked,
  RevokeRequest,
} from '../../../src/issuer/driver.ts';
import { issuerRefused } from '../../../src/issuer/failure.ts';
import { type RevokedCertificate, signRevocationList } from '../../../src/issuer/local/revocation-list.ts';
import { signAuthority, signClient } from '../../../src/issuer/local/sign.ts';
import { openManualIssuer } from '../../../src/issuer/manual/manual-issuer.ts';
import { newPrivateKey } from '../../../src/x509/request/new-key.ts';
import { readRequest } from '../../../src/x509/request/read-request.ts';
import type { IssuerPlace } from './issuer.ts';

interface Written {
  readonly certificate: string;
  revoked: RevokedCertificate | null;
}

const authorityKey = await newPrivateKey('EC P-256');
const foreignKey = await newPrivateKey('EC P-256');
const authority = await signAuthority(authorityKey.key, 'Memory CA', Date.now());

/** An issuer that keeps every promise, in memory; what it is made of is broken one by one below. */
export class MemoryIssuer implements IssuerDriver {
  readonly description: string = 'memory';
  readonly can: IssuerDriver['can'] = {
    keyMadeBy: ['keyturn'],
    answers: 'at-once',
    finds: true,
    sameAnswerSeconds: Number.POSITIVE_INFINITY,
    revokes: 'interface',
    keepsReason: true,
    publishesRevocations: true,
  };
  written = new Map<string, Written>();

  async issue({ request, lifetimeSeconds }: IssueRequest): Promise<DriverIssued | Awaited> {
    if (request === null) throw issuerRefused('No request.', 'Send one.');
    const known = this.written.get(request.spki);
    if (known !== undefined) return { kind: 'issued', certificate: known.certificate, chain: authority };
    const certificate = await this.sign(request.der, lifetimeSeconds ?? 3600);
    this.written.set(request.spki, { certificate, revoked: null });
    return { kind: 'issued', certificate, chain: authority };
  }

  async sign(der: Buffer, seconds: number, key: KeyObject = authorityKey.key): Promise<string> {
    const request = await readRequest(der);
    return signClient({ key, authority }, request, { now: Date.now(), seconds, listUrl: null });
  }

  async find(spki: string): Promise<FoundCertificate[] | null> {
    const all = [...this.written].filter(([each]) => each === spki);
    return all.flatMap(([, { certificate, revoked }]) =>
      certificatesIn(certificate).map((each) => ({ certificate: each, chain: authority, revoked: revoked !== null })),
    );
  }

  async revoke({ certificate, reason }: RevokeRequest): Promise<Revoked | Asked> {
    const [found] = certificatesIn(certificate);
    const known = this.written.get(found?.spki ?? '');
    if (known === undefined) throw issuerRefused('Not ours.', 'Ask another.');
    known.revoked ??= { serial: found?.serial ?? '', at: Date.now(), reason };
    return { kind: 'revoked', reasonKept: true };
  }

  list(): Promise<string> {
    const revoked = [...this.written.values()].flatMap((each) => (each.revoked === null ? [] : [each.revoked]));
    const term = { number: 1, now: Date.now(), seconds: 3600 };
    return signRevocationList({ key: authorityKey.key, authority }, revoked, term);
  }

  async health(): Promise<IssuerHealth> {
    return { ready: true, detail: '' };
  }

  async close(): Promise<void> {}
}

export function memoryPlace(Make: new () => MemoryIssuer): () => Promise<IssuerPlace> {
  return async () => {
    const driver = new Make();
    return {
      driver,
      list: async () => ({ crl: await driver.list(), authority }),
      reopen: async () => {
        const again = new Make();
        again.written = driver.written;
        return again;
      },
      remove: () => driver.close(),
    };
  };
}

function lying(can: Partial<IssuerDriver['can']>): new () => MemoryIssuer {
  return class extends MemoryIssuer {
    override readonly can = { ...new MemoryIssuer().can, ...can };
  };
}

/** Each breaks one promise. */
export const brokenIssuers: Readonly<Record<string, new () => MemoryIssuer>> = {
  'signs with another key than its certificate’s': class extends MemoryIssuer {
    override sign(der: Buffer, seconds: number) {
      return super.sign(der, seconds, foreignKey.key);
    }
  },
  'gives everybody the certificate of the first': class extends MemoryIssuer {
    #first: string | null = null;
    override async sign(der: Buffer, seconds: number) {
      this.#first ??= await super.sign(der, seconds);
      return this.#first;
    }
  },
  'issues for longer than it was asked': class extends MemoryIssuer {
    override sign(der: Buffer, seconds: number) {
      return super.sign(der, seconds * 2);
    }
  },
  'issues for a moment only': class extends MemoryIssuer {
    override sign(der: Buffer) {
      return super.sign(der, 60);
    }
  },
  'does not verify requests': class extends MemoryIssuer {
    override async issue(asked: IssueRequest) {
      const sound = await super.issue(asked).catch(() => null);
      if (sound !== null) return sound;
      return { kind: 'issued', certificate: authority, chain: authority } as const;
    }
  },
  'forgets what it has issued': class extends MemoryIssuer {
    override async find() {
      return [];
    }
  },
  'forgets it at a restart': class extends MemoryIssuer {
    override written = new Map<string, Written>();
    readonly #own = this.written;
    override async find(spki: string) {
      return this.written === this.#own ? super.find(spki) : [];
    }
  },
  'finds everything for everybody': class extends MemoryIssuer {
    override async find() {
      const all = await Promise.all([...this.written.keys()].map((spki) => super.find(spki)));
      return all.flatMap((each) => each ?? []);
    }
  },
  'gives a second certificate for one issuance': class extends MemoryIssuer {
    override async issue(asked: IssueRequest) {
      this.written.clear();
      return super.issue(asked);
    }
  },
  'revokes nothing, and says so not': class extends MemoryIssuer {
    override async revoke() {
      return { kind: 'revoked', reasonKept: true } as const;
    }
  },
  'refuses to revoke twice': class extends MemoryIssuer {
    override async revoke(asked: RevokeRequest) {
      const [found] = certificatesIn(asked.certificate);
      if (this.written.get(found?.spki ?? '')?.revoked != null) throw issuerRefused('Done.', 'Leave it.');
      return super.revoke(asked);
    }
  },
  'publishes an empty list': class extends MemoryIssuer {
    override list() {
      this.written.clear();
      return super.list();
    }
  },
  'publishes a list of everything': class extends MemoryIssuer {
    override async list() {
      for (const { certificate } of this.written.values()) {
        const byHand = { partner: '', steps: [], contact: null };
        await this.revoke({ certificate, reason: 'superseded', byHand });
      }
      return super.list();
    }
  },
  'makes keys, which it says it does not': class extends MemoryIssuer {
    override readonly can = { ...new MemoryIssuer().can, keyMadeBy: ['keyturn', 'partner'] as const };
  },
  'is awaited, and says at once': class extends MemoryIssuer {
    override async issue(asked: IssueRequest) {
      return openManualIssuer().issue(asked, AbortSignal.timeout(1000));
    }
  },
  'says that it can’t find, and finds': lying({ finds: false }),
  'says that it drops reasons, and keeps them': lying({ keepsReason: false }),
  'is never ready': class extends MemoryIssuer {
    override async health() {
      return { ready: false, detail: 'No.' };
    }
  },
  'is described in two lines': class extends MemoryIssuer {
    override readonly description = 'memory\nhvs.secret';
  },
};
