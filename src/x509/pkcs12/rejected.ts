import { KeyturnError } from '../../core/errors.ts';

/** The refusal of a file whose structure is broken or hostile, naming what was found in it. */
export function rejected(found: string): KeyturnError {
  return new KeyturnError('archive_rejected', `The PKCS#12 file was refused: ${found}.`, {
    fix: 'Download the file from the partner again and upload it unchanged.',
  });
}

/** The refusal of a sound file that is protected in a way that is not read here. */
export function unsupported(what: string): KeyturnError {
  return new KeyturnError('key_unreadable', `The PKCS#12 file ${what}.`, {
    fix: 'Convert it, and upload the PEM file: openssl pkcs12 -legacy -in FILE.p12 -out FILE.pem',
  });
}

export function wrongPassword(): KeyturnError {
  return new KeyturnError('key_password_wrong', 'The password does not open the PKCS#12 file, or it is damaged.', {
    fix: 'Try the password again; it is the one that was set, or shown, when the file was made.',
  });
}

export function passwordRequired(): KeyturnError {
  return new KeyturnError('key_password_required', 'The PKCS#12 file has a password.', {
    fix: 'Give its password: --password-file FILE; at a terminal it is asked for.',
  });
}
