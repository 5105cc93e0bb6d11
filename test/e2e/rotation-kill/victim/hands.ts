import type { Instance } from '../../../../src/compose/open.ts';
import type { JsonObject } from '../../../../src/core/canonical-json.ts';
import { KeyturnError } from '../../../../src/core/errors.ts';
import { authorise } from '../../../../src/credential/authorise.ts';
import type { Caller } from '../../../../src/credential/caller.ts';
import { returnLease } from '../../../../src/credential/lease/end.ts';
import { grantLease } from '../../../../src/credential/lease/grant.ts';
import { mandateOf } from '../../../../src/credential/mandate.ts';
import { importVersion } from '../../../../src/credential/version/import.ts';
import { attachCertificate } from '../../../../src/rotation/orders/attach.ts';
import { groundOf } from '../../../../src/rotation/orders/plan.ts';
import { startRotation } from '../../../../src/rotation/orders/start.ts';
import { abortRotation, completeTask, rollBackRotation } from '../../../../src/rotation/orders/steer.ts';
import { showRotation } from '../../../../src/rotation/orders/view.ts';
import { type Answer, CREDENTIAL, type Files } from '../desk/desk.ts';
import type { Wish } from './wish.ts';

/** Asks the use cases for `person:alice`, as the routes of the server do for whoever shows a token. */
export class Hands {
  readonly #instance: Instance;
  readonly #alice: Caller;

  private constructor(instance: Instance, alice: Caller) {
    this.#instance = instance;
    this.#alice = alice;
  }

  static async of(instance: Instance): Promise<Hands> {
    const [token] = await instance.desk.ledger.find('tokens', { principal: 'person:alice' });
    if (token === undefined) throw new Error('Nobody administers this instance.');
    return new Hands(instance, {
      principal: { id: 'person:alice', kind: 'person' },
      token: { id: token.id, expiresAt: token.expires_at },
      request: 'request_kill',
      host: '127.0.0.1',
    });
  }

  async do(wish: Wish): Promise<Answer> {
    try {
      const body = await this.#act(wish);
      return { ok: true, body: JSON.parse(JSON.stringify(body ?? {})) as JsonObject };
    } catch (error) {
      if (!(error instanceof KeyturnError)) throw error;
      return { ok: false, body: { code: error.code, detail: error.message } };
    }
  }

  async #act(wish: Wish): Promise<unknown> {
    const { desk } = this.#instance;
    switch (wish.to) {
      case 'start':
        return this.#start();
      case 'show':
        return showRotation(desk, this.#alice, CREDENTIAL);
      case 'abort':
        return abortRotation(desk, this.#alice, CREDENTIAL, 'test');
      case 'roll-back':
        return rollBackRotation(desk, this.#alice, CREDENTIAL, 'test');
      case 'upload':
        return importVersion(desk, this.#alice, uploadOf(wish.files));
      case 'attach':
        return attachCertificate(desk, this.#alice, uploadOf(wish.files));
      case 'done':
        return completeTask(desk, this.#alice, wish.task, 'test');
      case 'give-back':
        return returnLease(desk, this.#alice, wish.lease);
      case 'lease':
        return this.#lease(wish.hpkePublicKey);
    }
  }

  async #lease(hpkePublicKey: string): Promise<unknown> {
    const wish = { hpkePublicKey: Buffer.from(hpkePublicKey, 'base64url'), seen: 0 };
    const { row } = await grantLease(this.#instance.desk, this.#alice, CREDENTIAL, wish);
    return { lease: row.id };
  }

  async #start(): Promise<unknown> {
    const { desk, issuers } = this.#instance;
    const authority = await authorise(desk, this.#alice, 'credential:rotate', CREDENTIAL);
    const ground = await groundOf(desk, issuers, CREDENTIAL);
    const version = ground.current?.version ?? null;
    const mandate = mandateOf(this.#alice, authority, 'credential:rotate', CREDENTIAL, version);
    return startRotation(desk, mandate, ground, { reason: 'test' });
  }
}

function uploadOf(files: Files) {
  const given = Object.entries(files).map(([name, bytes]) => ({ name, bytes: Buffer.from(bytes) }));
  return { credential: CREDENTIAL, files: given, environmentConfirmed: 'sandbox' };
}
