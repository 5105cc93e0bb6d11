import { AnswerOpener } from '../../../../src/sealed/answer.ts';
import type { Wish } from '../victim/wish.ts';
import { type Answer, type Files, type PersonsDesk, type Shown, shownIn } from './desk.ts';

/** Of a server that does not listen: its use cases are asked through the channel to its process. */
export class InnerDesk implements PersonsDesk {
  readonly #ask: (wish: Wish) => Promise<Answer | null>;

  constructor(ask: (wish: Wish) => Promise<Answer | null>) {
    this.#ask = ask;
  }

  close(): void {
    // The channel ends with the process.
  }

  start(): Promise<Answer | null> {
    return this.#ask({ to: 'start' });
  }

  order(verb: 'abort' | 'roll-back'): Promise<Answer | null> {
    return this.#ask({ to: verb });
  }

  async show(): Promise<Shown | 'none' | null> {
    const answer = await this.#ask({ to: 'show' });
    return answer === null ? null : shownIn(answer);
  }

  upload(files: Files): Promise<Answer | null> {
    return this.#ask({ to: 'upload', files });
  }

  attach(files: Files): Promise<Answer | null> {
    return this.#ask({ to: 'attach', files });
  }

  done(task: string): Promise<Answer | null> {
    return this.#ask({ to: 'done', task });
  }

  lease(): Promise<Answer | null> {
    return this.#ask({ to: 'lease', hpkePublicKey: AnswerOpener.generate().publicKey });
  }

  giveBack(lease: string): Promise<Answer | null> {
    return this.#ask({ to: 'give-back', lease });
  }
}
