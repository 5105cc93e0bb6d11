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
await import('../src/cli/main.ts');
