import type { LogVerifier } from '../../../src/audit/checkpoint.ts';
import { exportLines } from '../../../src/audit/export.ts';
import { verifyExport } from '../../../src/audit/verify.ts';
import type { Ledger } from '../../../src/ledger/ledger.ts';
