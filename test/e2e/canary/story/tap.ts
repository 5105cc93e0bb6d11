import type { CallOptions, Reply, TestInstance } from '../../instance.ts';

/** One answer of the API as it came over the wire, headers included. */
export interface Tapped {
  readonly operation: string;
  readonly status: number;
  readonly octets: Buffer;
}

/** Calls an instance and keeps every answer. */
export class Tap {
  readonly answers: Tapped[] = [];
  readonly #keyturn: TestInstance;

  constructor(keyturn: TestInstance) {
    this.#keyturn = keyturn;
  }

  async call(method: string, path: string, options: CallOptions = {}): Promise<Reply> {
    return this.#keep(`${method} ${path.split('?')[0]}`, await this.#keyturn.call(method, path, options));
  }

  async import(...upload: Parameters<TestInstance['import']>): Promise<Reply> {
    return this.#keep('POST import', await this.#keyturn.import(...upload));
  }

  /** Answers of these operations, all of them by default, one after the other. */
  octets(which: (tapped: Tapped) => boolean = () => true): Buffer {
    return Buffer.concat(this.answers.filter(which).map(({ octets }) => octets));
  }

  #keep(operation: string, reply: Reply): Reply {
    const { status, headers, text } = reply;
    this.answers.push({ operation, status, octets: Buffer.from(`${status} ${JSON.stringify(headers)}\n${text}\n`) });
    return reply;
  }
}
