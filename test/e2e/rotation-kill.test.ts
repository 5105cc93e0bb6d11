import { killedWhileRotating } from './rotation-kill/describe.ts';
import { WAYS } from './rotation-kill/ways.ts';

for (const { name } of WAYS) killedWhileRotating(name, 'file');
