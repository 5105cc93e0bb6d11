import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { missingTools, TOOL_PATH } from './scripts/tools.mjs';

// Threads and programs that tests begin run our sources as they stand. What Node makes of a file is kept, so that it is not
// made anew for each of them.
process.env['NODE_COMPILE_CACHE'] ??= fileURLToPath(new URL('.cache/compile', import.meta.url));

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: process.env['CI'] ? [] : missingTools().map((tool) => tool.tests),
    env: { PATH: TOOL_PATH },
    testTimeout: 20_000,
    hookTimeout: 60_000,
    // Real servers, processes and clocks on a machine that others use: once may be chance, twice is not. The report tells
    // what was repeated. By hand nothing is.
    retry: process.env['CI'] ? 1 : 0,
    pool: 'forks',
    maxWorkers: 2,
    allowOnly: false,
    passWithNoTests: false,
    reporters: process.env['CI'] ? ['default', ['json', { outputFile: '.cache/vitest.json' }]] : ['default'],
  },
});
