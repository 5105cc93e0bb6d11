import type { Partner } from '../../../fakes/partner/partner.ts';
import type { Answer, PersonsDesk, Shown, Task } from '../desk/desk.ts';
import type { IssuedElsewhere } from './pki-engine.ts';
import type { SigningDesk } from './signing-desk.ts';

export interface PersonsPartner {
  readonly partner: Partner;
  /** Those who sign requests for it; null where the partner makes keys itself. */
  readonly signers: SigningDesk | null;
  /** What it issues kills what it has issued before. */
  readonly onlyNewest: boolean;
}

/** Does what open tasks ask, and no more; again, when the server was gone before it answered. */
export class Person {
  /** What was seen to be wrong, a sentence each. */
  readonly faults: string[] = [];
  readonly #place: PersonsPartner;
  /** Serials of all certificates that the partner handed out, and of those that are dead. */
  readonly #handedOut: string[] = [];
  readonly #dead = new Set<string>();
  #inHand: Readonly<Record<string, Buffer>> | null = null;
  /** Tasks whose upload has been taken. */
  readonly #brought = new Set<string>();

  constructor(place: PersonsPartner) {
    this.#place = place;
  }

  /** As the partner sees it. */
  get handedOut(): readonly IssuedElsewhere[] {
    return this.#handedOut.map((serial) => ({ serial, revoked: this.#dead.has(serial) }));
  }

  async act(desk: PersonsDesk, shown: Shown): Promise<void> {
    const open = shown.tasks.filter(({ state }) => state === 'open');
    if (!open.some(({ kind }) => kind === 'import' || kind === 'certificate')) this.#inHand = null;
    for (const task of open) await this.#do(desk, shown, task);
  }

  /** A click in the portal, and the upload. The same file once more when it is not known whether it came: false. */
  async bring(desk: PersonsDesk): Promise<boolean> {
    this.#inHand ??= await this.#generated();
    return this.#taken(await desk.upload(this.#inHand), ['key_seen_before']);
  }

  /** The request goes to those who sign, and what comes back is uploaded. */
  async #attach(desk: PersonsDesk, { found: { csr } }: Shown): Promise<boolean> {
    const { signers } = this.#place;
    if (csr === undefined || signers === null) return false;
    this.#inHand ??= await this.#signed(signers, csr);
    // Not found: it has been taken, and the rotation has moved on.
    return this.#taken(await desk.attach(this.#inHand), ['not_found', 'key_seen_before']);
  }

  #taken(answer: Answer | null, taken: readonly string[]): boolean {
    const code = String(answer?.body['code']);
    if (answer === null || code === 'conflict') return false;
    this.#inHand = null;
    if (!answer.ok && !taken.includes(code)) {
      this.faults.push(`the upload was refused: ${JSON.stringify(answer.body)}`);
    }
    return true;
  }

  async #generated(): Promise<Record<string, Buffer>> {
    const { portal } = this.#place.partner;
    const made = await portal.generate({ app: 'app', key: 'ec-p256' });
    this.#hand(made.serial);
    return { 'key.zip': made.zip, 'chain.zip': await portal.chain() };
  }

  async #signed(signers: SigningDesk, csr: string): Promise<Record<string, Buffer>> {
    const { pem, serial } = await signers.sign(csr);
    this.#hand(serial);
    return { 'certificate.pem': Buffer.from(pem) };
  }

  #hand(serial: string): void {
    if (this.#handedOut.includes(serial)) return;
    if (this.#place.onlyNewest) for (const each of this.#handedOut) this.#dead.add(each);
    this.#handedOut.push(serial);
  }

  async #do(desk: PersonsDesk, shown: Shown, task: Task): Promise<void> {
    const { id, kind, serial = '' } = task;
    if (kind === 'import' || kind === 'certificate') {
      if (this.#brought.has(id)) return;
      if (await (kind === 'import' ? this.bring(desk) : this.#attach(desk, shown))) this.#brought.add(id);
      return;
    }
    // Ends with an order, which the campaign gives.
    if (kind === 'decide') return;
    if (kind === 'revoke') await this.#revoke(shown, serial);
    await desk.done(id);
  }

  async #revoke({ state }: Shown, serial: string): Promise<void> {
    const { partner, signers } = this.#place;
    // To undo, what nobody uses is revoked; else the successor must have been seen by the partner first.
    const newest = this.#handedOut.at(-1) ?? '';
    const proven = partner.seen.some((seen) => seen.serial === newest && seen.serial !== serial);
    if (state === 'running' && !proven) {
      this.faults.push(`asked to revoke ${serial} before the partner had accepted ${newest}`);
    }
    if (!((await signers?.revoke(serial)) ?? false)) await partner.revoke(serial);
    this.#dead.add(serial);
  }
}
