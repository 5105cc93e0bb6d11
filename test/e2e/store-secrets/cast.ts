import { join } from 'node:path';
import { doChores } from '../../../src/compose/serve.ts';
import type { KeyStore } from '../../../src/keystore/keystore.ts';
import type { Partner } from '../../fakes/partner/partner.ts';
import type { Planted } from '../canary/story/planted.ts';
import type { Tap } from '../canary/story/tap.ts';
import { edit, type TestInstance } from '../instance.ts';
import type { RemoteStore, StoreMood } from '../stores/remote-store.ts';

/** Who takes part, and everything that was thrown inside meanwhile. */
export interface Cast {
  readonly keyturn: TestInstance;
  readonly tap: Tap;
  readonly planted: Planted;
  readonly partner: Partner;
  readonly remote: RemoteStore;
  readonly thrown: unknown[];
}

/** Days on which a store does not do what it is asked. */
export const BAD: readonly StoreMood[] = ['down', 'hanging', 'cut short', 'echoing changes', 'echoing'];

/** The store elsewhere is added, and what drivers throw is kept from now on. */
export async function furnish({ keyturn, remote, thrown }: Cast, recipient: string): Promise<void> {
  const setting = await remote.configure(keyturn.home);
  await edit(join(keyturn.home, 'keyturn.yaml'), (config) => ({
    ...config,
    stores: { [remote.kind]: setting },
    backup: { recipients: [recipient] },
  }));
  await keyturn.restart();
  for (const store of keyturn.serving.instance.desk.stores.values()) listenTo(store, thrown);
}

const VERBS = ['read', 'tryRead', 'write', 'destroy', 'list', 'health', 'readForeign'] as const;

/** Errors go on as they are; causes and members that no answer shows are kept to be looked into. */
function listenTo(store: KeyStore, thrown: unknown[]): void {
  for (const verb of VERBS) {
    const act = (store[verb] as (...args: unknown[]) => Promise<unknown>).bind(store);
    Object.assign(store, {
      [verb]: async (...args: unknown[]) => {
        try {
          return await act(...args);
        } catch (error) {
          thrown.push(error);
          throw error;
        }
      },
    });
  }
}

/** The store answers again, its circuit is closed and what was left undone is settled. */
export async function untilWell({ keyturn, remote }: Pick<Cast, 'keyturn' | 'remote'>): Promise<void> {
  await remote.set('well');
  const { instance } = keyturn.serving;
  for (let asked = 0; asked < 200; asked += 1) {
    await doChores(instance);
    const answered = await instance.desk.stores
      .get(remote.kind)
      ?.tryRead('versions/nobody/asks/1')
      .catch(() => undefined);
    if (answered === null) return doChores(instance);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error('The store did not come back.');
}
