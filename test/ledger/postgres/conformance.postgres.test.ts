import { ledgerConformance } from '../../conformance/ledger.ts';
import { LEDGER_HARNESSES } from '../harnesses.ts';

ledgerConformance('postgres', LEDGER_HARNESSES.postgres);
