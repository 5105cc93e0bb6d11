import type { Partner } from '../../fakes/partner/partner.ts';
import type { GeneratedCertificate } from '../../fakes/partner/portal.ts';
import type { PersonsDesk, Shown, Task } from './desk.ts';

/** Does what open tasks ask, and no more; again, when the server was gone before it answered. */
export class Person {
  /** Serials of all certificates that the partner handed out. */
  readonly handedOut: string[] = [];
  /** What was seen to be wrong, a sentence each. */
  readonly faults: string[] = [];
  readonly #partner: Partner;
  #inHand: GeneratedCertificate | null = null;
  /** Tasks whose upload has been taken. */
  readonly #brought = new Set<string>();

  constructor(partner: Partner) {
    this.#partner = partner;
  }

  async act(desk: PersonsDesk, shown: Shown): Promise<void> {
    const open = shown.tasks.filter(({ state }) => state === 'open');
    if (!open.some(({ kind }) => kind === 'import')) this.#inHand = null;
    for (const task of open) await this.#do(desk, shown, task);
  }

  /** A click in the portal, and the upload. The same file once more when it is not known whether it came: false. */
  async bring(desk: PersonsDesk): Promise<boolean> {
    this.#inHand ??= await this.#generate();
    const files = { 'key.zip': this.#inHand.zip, 'chain.zip': await this.#partner.portal.chain() };
    const answer = await desk.upload(files);
    const code = answer?.body['code'];
    if (answer === null || code === 'conflict') return false;
    this.#inHand = null;
    if (answer.status !== 201 && code !== 'key_seen_before') {
      this.faults.push(`the upload was refused: ${JSON.stringify(answer.body)}`);
    }
    return true;
  }

  async #generate(): Promise<GeneratedCertificate> {
    const made = await this.#partner.portal.generate({ app: 'app', key: 'ec-p256' });
    this.handedOut.push(made.serial);
    return made;
  }

  async #do(desk: PersonsDesk, shown: Shown, { id, kind, serial = '' }: Task): Promise<void> {
    if (kind === 'import') {
      if (!this.#brought.has(id) && (await this.bring(desk))) this.#brought.add(id);
      return;
    }
    if (kind === 'certificate') return;
    if (kind === 'revoke') {
      // To undo, what nobody uses is revoked; else the successor must have been seen by the partner first.
      const newest = this.handedOut.at(-1) ?? '';
      const proven = this.#partner.seen.some((seen) => seen.serial === newest && seen.serial !== serial);
      if (shown.state === 'running' && !proven) {
        this.faults.push(`asked to revoke ${serial} before the partner had accepted ${newest}`);
      }
      await this.#partner.revoke(serial);
    }
    await desk.done(id);
  }
}
