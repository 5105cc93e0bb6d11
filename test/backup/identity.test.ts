import { expect, test } from 'vitest';
import { newIdentity, openIdentity } from '../../src/backup/identity.ts';
import { formatRecipient, parseRecipient } from '../../src/backup/recipient.ts';
import { SecretBytes } from '../../src/core/secret-bytes.ts';
import { rawPublicKey } from '../../src/sealed/x25519.ts';

const secret = (text: string) => SecretBytes.copyOf(Buffer.from(text));
const neverAsked = () => Promise.reject(new Error('asked'));

test('an identity opens to the private half of its recipient, and no one is asked', async () => {
  const { file, recipient } = await newIdentity(null);
  const key = await openIdentity(file.bytes, neverAsked);
  expect(formatRecipient(rawPublicKey(key))).toBe(recipient);
});

test('a passphrase is needed where one was given, and a wrong one is told', async () => {
  const { file, recipient } = await newIdentity(secret('five random words are enough'));
  const key = await openIdentity(file.bytes, async () => secret('five random words are enough'));
  expect(formatRecipient(rawPublicKey(key))).toBe(recipient);
  await expect(openIdentity(file.bytes, async () => secret('another one altogether'))).rejects.toMatchObject({
    code: 'backup_identity_wrong',
  });
  await expect(newIdentity(secret('short'))).rejects.toMatchObject({ code: 'invalid_input' });
});

test('an identity that was changed or cut is refused before anything is asked', async () => {
  const { file } = await newIdentity(null);
  for (const at of [0, 9, 10, 14, 25, 45, 71, 102]) {
    const other = Buffer.from(file.bytes);
    other[at]! ^= 8;
    await expect(openIdentity(other, neverAsked), String(at)).rejects.toMatchObject({ code: 'invalid_input' });
  }
  for (const end of [0, 8, 71, 102]) {
    await expect(openIdentity(file.bytes.subarray(0, end), neverAsked)).rejects.toMatchObject({
      code: 'invalid_input',
    });
  }
  const hungry = Buffer.from(file.bytes);
  hungry[10] = 1;
  hungry.writeUInt32BE(0xffff_ffff, 11);
  await expect(openIdentity(hungry, neverAsked)).rejects.toMatchObject({ code: 'invalid_input' });
});

test('a recipient is read in its one form alone', async () => {
  const { recipient } = await newIdentity(null);
  expect(formatRecipient(parseRecipient(recipient))).toBe(recipient);
  const swapped = recipient.replace(
    /^(ktbackup_.)(.)/,
    (_, head: string, next: string) => head + (next === 'A' ? 'B' : 'A'),
  );
  for (const text of ['', 'ktbackup_', recipient.slice(0, -1), ` ${recipient}`, recipient.toUpperCase(), swapped]) {
    expect(() => parseRecipient(text)).toThrow(expect.objectContaining({ code: 'invalid_input' }));
  }
});
