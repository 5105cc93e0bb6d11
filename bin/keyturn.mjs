#!/usr/bin/env node
const [major] = process.versions.node.split('.').map(Number);
if (major < 24) {
  process.stderr.write(
    `keyturn needs Node 24 or newer; this is ${process.versions.node}. Try: npm run keyturn -- --help\n`,
  );
  process.exit(1);
}
await import('../src/cli/main.ts');
