import type { TestInstance } from '../e2e/instance.ts';
import type { Issued, TestCa } from '../fakes/ca.ts';
import { zip } from '../fakes/partner/archive.ts';
import type { Keyturn } from './keyturn.ts';

/** A key and certificate as a partner's portal hands them out; the key is guarded. */
export async function issue(keyturn: Keyturn, ca: TestCa): Promise<Issued> {
  const issued = await ca.client();
  keyturn.guard(issued.keyPem);
  keyturn.guard(issued.privateKey.export({ format: 'der', type: 'pkcs8' }));
  return issued;
}

/** The portal's two zips, written beside the terminal. */
export async function zips(keyturn: Keyturn, ca: TestCa, name = 'cert.zip'): Promise<Issued> {
  const issued = await issue(keyturn, ca);
  await keyturn.write(
    name,
    await zip({ 'my_app_private_key.pem': issued.keyPem, 'my_app_cert.crt': issued.certificatePem }),
  );
  await keyturn.write('chain.zip', await zip({ 'lean_public_cert_chain.pem': ca.certificatePem }));
  return issued;
}

/** Imports without a terminal, as the ground for other behaviour. */
export async function imported(keyturn: Keyturn, instance: TestInstance, ca: TestCa): Promise<Issued> {
  const issued = await issue(keyturn, ca);
  const file = Buffer.from(issued.keyPem + issued.certificatePem + ca.certificatePem);
  const reply = await instance.import('lean/sandbox', { 'all.pem': file });
  if (reply.status !== 201) throw new Error(`not imported: ${reply.text}`);
  return issued;
}
