import type { ServerResponse } from 'node:http';
import type { AwsAnswer, AwsCall, Refusal } from './protocol.ts';
import { refused } from './protocol.ts';

/**
 * What goes wrong with one call. `forwarded` says whether AWS did what was asked before it went wrong; `answer` then
 * does with the connection what the fault is. What it never answers ends when the proxy closes.
 */
export interface Fault {
  readonly forwarded: boolean;
  readonly answer: (response: ServerResponse, real: AwsAnswer | null) => void;
}

/** Which calls are struck: null lets a call pass unharmed. `nth` counts, from 1, this operation's under the same prefix. */
export type FaultPlan = (call: AwsCall, nth: number) => Fault | null;

export function send(response: ServerResponse, { status, headers, body }: AwsAnswer): void {
  response.writeHead(status, { ...headers, 'content-length': String(body.length) }).end(body);
}

export function refusing(refusal: Refusal): Fault {
  return { forwarded: false, answer: (response) => send(response, refused(refusal)) };
}

export function answering(status: number, contentType: string, body: string): Fault {
  const answer = { status, headers: { 'content-type': contentType }, body: Buffer.from(body) };
  return { forwarded: false, answer: (response) => send(response, answer) };
}

export function redirectingTo(location: string): Fault {
  const answer = { status: 307, headers: { location }, body: Buffer.alloc(0) };
  return { forwarded: false, answer: (response) => send(response, answer) };
}

export const hanging: Fault = { forwarded: false, answer: () => {} };

export const hangingAfterwards: Fault = { forwarded: true, answer: () => {} };

export const resetting: Fault = { forwarded: false, answer: (response) => response.destroy() };

/** It happened, and the answer is lost. */
export const losingAnswers: Fault = { forwarded: true, answer: (response) => response.destroy() };

/** The connection breaks in the middle of the body. */
export const truncating: Fault = {
  forwarded: true,
  answer: (response, real) => half(response, real, () => response.destroy()),
};

/** The body stops in its middle, and the connection stays. */
export const stalling: Fault = { forwarded: true, answer: (response, real) => half(response, real, () => {}) };

/** Half a body, given out as a whole one. */
export const shortening: Fault = {
  forwarded: true,
  answer: (response, real) => {
    if (real !== null) send(response, { ...real, body: real.body.subarray(0, real.body.length / 2) });
  },
};

export function delaying(ms: number): Fault {
  return {
    forwarded: true,
    answer: (response, real) => {
      setTimeout(() => real !== null && send(response, real), ms);
    },
  };
}

function half(response: ServerResponse, real: AwsAnswer | null, then: () => void): void {
  if (real === null) return;
  response.writeHead(real.status, { ...real.headers, 'content-length': String(real.body.length) });
  response.write(real.body.subarray(0, real.body.length / 2), then);
}
