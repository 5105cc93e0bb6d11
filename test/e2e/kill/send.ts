import { type RequestOptions, request } from 'node:https';

export interface Answered {
  readonly status: number;
  readonly text: string;
}

/** Null when no whole answer came: whether the server did it is then not known. */
export function send(url: URL, options: RequestOptions, body: Buffer): Promise<Answered | null> {
  return new Promise((resolve) => {
    const outgoing = request(url, options, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', () => resolve(null));
      response.on('close', () => {
        const text = Buffer.concat(chunks).toString('utf8');
        resolve(response.complete ? { status: response.statusCode ?? 0, text } : null);
      });
    });
    outgoing.on('error', () => resolve(null));
    outgoing.end(body);
  });
}
