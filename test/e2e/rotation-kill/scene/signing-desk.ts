import { type Certified, TestCa } from '../../../fakes/ca.ts';
import type { Partner } from '../../../fakes/partner/partner.ts';

/** People whom a request is mailed to, and who mail back a certificate that the partner accepts. */
export class SigningDesk {
  readonly #ca: TestCa;
  readonly #partner: Partner;
  /** A certificate that they sign kills those before it. */
  readonly #onlyNewest: boolean;
  /** Request → what was signed for it. The same request gets the same certificate. */
  readonly #signed = new Map<string, Certified>();
  readonly #dead = new Set<Certified>();

  private constructor(ca: TestCa, partner: Partner, onlyNewest: boolean) {
    this.#ca = ca;
    this.#partner = partner;
    this.#onlyNewest = onlyNewest;
  }

  static async open(partner: Partner, onlyNewest: boolean): Promise<SigningDesk> {
    const desk = new SigningDesk(await TestCa.create('Lean Request CA'), partner, onlyNewest);
    await desk.#publish();
    return desk;
  }

  /** Certificate and its authority's, PEM. */
  async sign(request: string): Promise<{ readonly pem: string; readonly serial: string }> {
    const before = [...this.#signed.values()];
    const signed = this.#signed.get(request) ?? (await this.#ca.sign(request));
    if (!this.#signed.has(request)) {
      this.#signed.set(request, signed);
      if (this.#onlyNewest) for (const each of before) this.#kill(each);
      await this.#publish();
    }
    return { pem: signed.certificatePem + this.#ca.certificatePem, serial: signed.serial };
  }

  /** False for one that they have not signed. */
  async revoke(serial: string): Promise<boolean> {
    const found = [...this.#signed.values()].find((each) => each.serial === serial);
    if (found === undefined) return false;
    this.#kill(found);
    await this.#publish();
    return true;
  }

  /** Twice changes nothing: whoever asked may not have heard that it was done. */
  #kill(certificate: Certified): void {
    if (!this.#dead.has(certificate)) this.#ca.revoke(certificate);
    this.#dead.add(certificate);
  }

  async #publish(): Promise<void> {
    await this.#partner.trust({ ca: this.#ca.certificatePem, crls: [await this.#ca.crlPem()] });
  }
}
