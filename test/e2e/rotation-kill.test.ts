import { killedWhileRotating } from './rotation-kill/describe.ts';
import { WAYS } from './rotation-kill/ways.ts';

for (const { name, maker } of WAYS) if (maker !== 'pki') killedWhileRotating(name, 'file');
