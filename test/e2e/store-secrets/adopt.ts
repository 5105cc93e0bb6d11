import { multipart } from '../../../src/cli/api/form.ts';
import { wrongFiles } from '../canary/story/wrong-uploads.ts';
import type { Reply } from '../instance.ts';
import { BAD, type Cast, untilWell } from './cast.ts';

/** A team's key is adopted in every way that goes wrong, in the middle too, and then well. Gives the codes. */
export async function adoptWrongly(cast: Cast): Promise<Set<unknown>> {
  const { partner, planted, remote } = cast;
  const codes = new Set<unknown>();
  const refused = async (form: Readonly<Record<string, string>>, password?: Buffer) => {
    const { status, body, text } = await adopt(cast, form, password);
    if (status < 400) throw new Error(`Taken: ${Object.keys(form).join()} ${text}`);
    codes.add(body['code']);
  };
  for (const [what, { password, ...files }] of Object.entries(
    wrongFiles(planted, partner, await partner.portal.generate()),
  )) {
    const [content] = Object.values(files);
    if (content?.toString('utf8') !== content?.toString('latin1')) continue;
    const path = await remote.keep(what.replaceAll(/\W+/g, '-'), { all: String(content), other: planted.appToken });
    await refused({ path, keyField: 'all' }, password);
    await refused({ path, keyField: 'absent' });
  }
  const { keyPem, certificatePem } = await partner.portal.generate({ key: 'ec-p256' });
  planted.key('adopted key', keyPem);
  const fields = { key: keyPem, certificate: certificatePem, chain: partner.chainPem, app: planted.appToken };
  const path = await remote.keep('pay', fields);
  const right = { path, keyField: 'key', certificateField: 'certificate', chainField: 'chain', 'companion.app': 'app' };
  for (const slip of [{ path: keyPem }, { keyField: keyPem }, { 'companion.app': keyPem }, { store: keyPem }]) {
    await refused({ ...right, ...slip });
  }
  for (const mood of BAD) {
    await remote.set(mood);
    // Read out of a store in that mood where it can be, and written into it.
    await refused({ ...right, store: remote.kind });
    await untilWell(cast);
  }
  await remote.set('lost after a change');
  await refused({ ...right, store: remote.kind });
  await untilWell(cast);
  await readyAgain(cast, right);
  return codes;
}

/** What a lost answer left is a version of that key by now, or none. */
async function readyAgain(cast: Cast, right: Readonly<Record<string, string>>): Promise<void> {
  const { status, body, text } = await adopt(cast, right);
  if (status !== 201 && body['code'] !== 'key_seen_before') throw new Error(`Not adopted: ${text}`);
}

async function adopt({ tap, remote }: Cast, form: Readonly<Record<string, string>>, password?: Buffer): Promise<Reply> {
  const parts = password === undefined ? [] : [{ field: 'password', name: 'password', bytes: password }];
  const { body, type } = multipart(parts, { from: remote.kind, environment: 'sandbox', ...form });
  return tap.call('POST', '/v1/credentials/lean%2Fsandbox/adoptions', { raw: body, headers: { 'content-type': type } });
}
