import { KeyturnError } from '../../core/errors.ts';
import type { Desk } from '../../credential/desk.ts';
import { inTurn } from '../../credential/store/in-turn.ts';
import { storePlace } from '../../credential/store/store-queue.ts';
import { attested } from '../../credential/version/settle.ts';
import type { IssuerDriver } from '../../issuer/driver.ts';
import { Issuer, type IssuerVerb } from '../../issuer/issuer.ts';
import type { AuthorityHome } from '../../issuer/local/options.ts';
import { type IssuerKind, issuerAdapters } from '../../issuer/registry.ts';
import type { Circuit } from '../../keystore/circuit.ts';
import { BY_HAND, type IssuerSetting } from './settings.ts';

/** Every issuer by name; {@link BY_HAND} among them. */
export type Issuers = ReadonlyMap<string, Issuer>;

/** Told what goes on at issuers, for metrics. Must not throw. */
export interface IssuerObserver {
  readonly call?: (issuer: string, verb: IssuerVerb, ok: boolean, seconds: number) => void;
  /** Of those that have a breaker: PKI engines of Vault and OpenBao. */
  readonly circuit?: (issuer: string, circuit: Circuit) => void;
}

export interface IssuerSurroundings {
  readonly desk: Desk;
  readonly observer?: IssuerObserver;
}

/**
 * Opens the issuers that the configuration names, and the one that is a person. None is asked anything: one elsewhere
 * may be down, and its check says so. Whoever opened them closes each.
 * @throws KeyturnError `config_invalid`.
 */
export async function openIssuers(settings: readonly IssuerSetting[], around: IssuerSurroundings): Promise<Issuers> {
  const opened = new Map<string, Issuer>();
  opened.set(BY_HAND, issuer(BY_HAND, 'manual', await issuerAdapters.manual(), around));
  for (const setting of settings) {
    opened.set(setting.name, issuer(setting.name, setting.kind, await openDriver(setting, around), around));
  }
  return opened;
}

async function openDriver(setting: IssuerSetting, around: IssuerSurroundings): Promise<IssuerDriver> {
  const { name } = setting;
  if (setting.kind === 'local') {
    return issuerAdapters.local({ name, home: homeIn(around, setting.store), ...setting.options });
  }
  const onCircuit = (circuit: Circuit) => around.observer?.circuit?.(name, circuit);
  if (setting.kind === 'vault-pki') onCircuit('closed');
  try {
    return setting.kind === 'vault-pki'
      ? await issuerAdapters['vault-pki']({ ...setting.options, onCircuit })
      : await issuerAdapters['aws-pca'](setting.options);
  } catch (error) {
    if (!(error instanceof KeyturnError)) throw error;
    const { code, message, fix, facts } = error;
    throw new KeyturnError(code, `Issuer ${name}: ${message}`, { ...(fix === undefined ? {} : { fix }), facts });
  }
}

/** The authority's key is written in turn with every other record, and known to the ledger with its certificate. */
function homeIn({ desk }: IssuerSurroundings, store: string | null): AuthorityHome {
  return {
    ledger: desk.ledger,
    clock: desk.clock,
    stores: desk.stores,
    store: store ?? desk.defaultStore.name,
    inTurn: (name, effect) => inTurn(desk, [storePlace(name)], ({ ledger }) => effect(ledger)),
    attested: (name) => attested(desk, name),
  };
}

function issuer(name: string, kind: IssuerKind, driver: IssuerDriver, { desk, observer }: IssuerSurroundings): Issuer {
  const call = observer?.call;
  return new Issuer(name, kind, driver, {
    clock: desk.clock,
    ...(call === undefined ? {} : { observe: (verb, ok, seconds) => call(name, verb, ok, seconds) }),
  });
}
