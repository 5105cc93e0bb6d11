import { defineConfig } from 'vitest/config';
import { missingTools, TOOL_PATH } from './scripts/tools.mjs';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: process.env['CI'] ? [] : missingTools().map((tool) => tool.tests),
    env: { PATH: TOOL_PATH },
    testTimeout: 20_000,
    hookTimeout: 60_000,
    pool: 'forks',
    maxWorkers: 2,
    allowOnly: false,
    passWithNoTests: false,
    reporters: process.env['CI'] ? ['default', ['json', { outputFile: '.cache/vitest.json' }]] : ['default'],
  },
});
