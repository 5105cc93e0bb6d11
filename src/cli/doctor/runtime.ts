import { secureHeapUsed } from 'node:crypto';
import { attention, type Check, ok } from './check.ts';

/** Fixes mutual-TLS session resumption and agent isolation: advisories of 2026-11-11. */
const WANTED = [24, 22, 3] as const;

/** The runtime and the flags that a production server should run with. */
export function checkRuntime(version = process.versions.node): Check[] {
  return [nodeVersion(version), secureHeap(), coreDumps()];
}

function nodeVersion(version: string): Check {
  const found = version.split('.').map(Number);
  const difference = WANTED.map((part, at) => (found[at] ?? 0) - part).find((each) => each !== 0) ?? 0;
  if (difference >= 0) return ok('Node', version);
  return attention(
    'Node',
    `${version} is older than ${WANTED.join('.')}, which fixes TLS flaws (Keyturn works around those that concern it)`,
    `Run the server on Node ${WANTED.join('.')} or newer.`,
  );
}

function secureHeap(): Check {
  if (secureHeapUsed().total > 0) return ok('secure heap', `${secureHeapUsed().total} bytes`);
  return attention(
    'secure heap',
    'off: a core dump of the server would show keys in use',
    'Start Node with --secure-heap=65536.',
  );
}

function coreDumps(): Check {
  const limits = process.report.getReport() as { userLimits?: { core_file_size_blocks?: { soft: string | number } } };
  const soft = limits.userLimits?.core_file_size_blocks?.soft;
  if (soft === undefined || soft === 0 || soft === '0') return ok('core dumps', 'off');
  return attention(
    'core dumps',
    `allowed (limit ${soft})`,
    'Start the server with "ulimit -c 0" (systemd: LimitCORE=0).',
  );
}
