import { attention, type Check, ok } from '../../core/check.ts';

/** Fixes mutual-TLS session resumption and agent isolation: advisories of 2026-11-11. */
const WANTED = [24, 22, 3] as const;

/** What a server says it runs on; `coreLimit` is null where it can't be told. */
export interface Runtime {
  readonly node: string;
  readonly secureHeap: number;
  readonly coreLimit: string | null;
}

/** The server's runtime, held against what a production server should run with. */
export function checkRuntime({ node, secureHeap, coreLimit }: Runtime): Check[] {
  return [nodeVersion(node), secureHeapCheck(secureHeap), coreDumps(coreLimit)];
}

function nodeVersion(version: string): Check {
  const found = version.split('.').map(Number);
  const difference = WANTED.map((part, at) => (found[at] ?? 0) - part).find((each) => each !== 0) ?? 0;
  if (difference >= 0) return ok('server’s Node', version);
  return attention(
    'server’s Node',
    `${version} is older than ${WANTED.join('.')}, which fixes TLS flaws (Keyturn works around those that concern it)`,
    `Run the server on Node ${WANTED.join('.')} or newer.`,
  );
}

function secureHeapCheck(octets: number): Check {
  if (octets > 0) return ok('server’s secure heap', `${octets} bytes`);
  return attention(
    'server’s secure heap',
    'off: a core dump of the server would show keys in use',
    'Start it with the flags of docs/design/deployment.md: node --secure-heap=65536 … keyturn.mjs server.',
  );
}

function coreDumps(limit: string | null): Check {
  if (limit === '0') return ok('server’s core dumps', 'off');
  if (limit === null) {
    return attention('server’s core dumps', 'the server can’t tell', 'Make sure that its system writes no core dumps.');
  }
  return attention(
    'server’s core dumps',
    `allowed (limit ${limit})`,
    'Start the server with "ulimit -c 0" (systemd: LimitCORE=0).',
  );
}
