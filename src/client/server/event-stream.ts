import { KeyturnError } from '../../core/errors.ts';

/** One event of a stream (HTML Living Standard, section 9.2). */
export interface StreamEvent {
  readonly type: string;
  readonly data: string;
  /** The newest id that the stream has named; null when it has named none. */
  readonly id: string | null;
}

/** Octets of one event that are read at most. */
const MAX_EVENT_OCTETS = 16_384;

/**
 * The events of a stream of octets (attacker-controlled as far as the server is), and null for a comment, which is a
 * sign of life. Ends with the stream.
 * @throws KeyturnError `server_unreachable` for an event that is too long.
 */
export async function* readEvents(stream: AsyncIterable<Buffer>): AsyncGenerator<StreamEvent | null> {
  const decoder = new TextDecoder();
  let pending = '';
  let id: string | null = null;
  let type = '';
  let data: string[] = [];
  let length = 0;
  for await (const chunk of stream) {
    pending += decoder.decode(chunk, { stream: true });
    const lines = pending.split('\n');
    pending = lines.pop() ?? '';
    length += chunk.length;
    for (const raw of lines) {
      const line = raw.endsWith('\r') ? raw.slice(0, -1) : raw;
      if (line === '') {
        if (data.length > 0) yield { type: type === '' ? 'message' : type, data: data.join('\n'), id };
        [type, data, length] = ['', [], 0];
      } else if (line.startsWith(':')) {
        yield null;
      } else {
        const [, field = '', value = ''] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? [];
        if (field === 'data') data.push(value);
        else if (field === 'event') type = value;
        else if (field === 'id' && !value.includes('\0')) id = value;
      }
    }
    if (length > MAX_EVENT_OCTETS) {
      throw new KeyturnError('server_unreachable', `An event is longer than ${MAX_EVENT_OCTETS} octets.`);
    }
  }
}
