#!/usr/bin/env node
const [major] = process.versions.node.split('.').map(Number);
if (major < 24) {
  process.stderr.write(
    `keyturn needs Node 24 or newer; this is ${process.versions.node}. Try: npm run keyturn -- --help\n`,
  );
  process.exit(1);
}
// npm runs its scripts in the package's folder; paths are meant from where the person stands.
if (process.env.npm_lifecycle_event === 'keyturn' && process.env.INIT_CWD) process.chdir(process.env.INIT_CWD);
if (process.argv.includes('server')) await useLittleMemory();
await import('../src/cli/main.ts');

/**
 * By itself V8 lets the young generation grow to 128 MB and the old one to several times what is alive, and glibc keeps
 * what was freed apart for each thread. Two of these bounds must be there when the process begins: it begins anew, under
 * the same id. Whoever sets MALLOC_ARENA_MAX, to any value, chooses for themselves, and it does not.
 */
async function useLittleMemory() {
  const { setFlagsFromString } = await import('node:v8');
  setFlagsFromString('--heap-growing-percent=25');
  // A slice of a few octets keeps its whole pool, 64 KiB of it by default.
  Buffer.poolSize = 8192;
  const { execArgv, execPath, argv, env } = process;
  if (process.platform === 'linux' && env.MALLOC_ARENA_MAX === undefined && process.execve !== undefined) {
    const given = `${execArgv.join(' ')} ${env.NODE_OPTIONS ?? ''}`.includes('--max-semi-space-size');
    const own = given ? [] : ['--max-semi-space-size=8'];
    process.execve(execPath, [execPath, ...own, ...execArgv, ...argv.slice(1)], { ...env, MALLOC_ARENA_MAX: '2' });
  }
  // V8 reads it anew for each thread, and it would count for more than what the thread is given for itself.
  setFlagsFromString('--max-semi-space-size=0');
}
