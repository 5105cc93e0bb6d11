import { type ErrorCode, isKeyturnError, KeyturnError } from '../../core/errors.ts';

interface Words {
  /** Default: what the refusal says. */
  readonly message?: string;
  readonly fix: string;
}

/** A refusal of an import speaks of the key that was uploaded, and has it imported again. Here the key is ours. */
const WORDS: Readonly<Partial<Record<ErrorCode, Words>>> = {
  key_mismatch: {
    message: 'No certificate of the upload is for the key of this rotation.',
    fix: 'Have the request signed that the open task shows (keyturn task list), and upload the certificate that comes of it.',
  },
  certificate_missing: {
    message: 'The upload holds certificates of authorities alone, or none.',
    fix: 'Upload the certificate that was signed for the request of the open task as well.',
  },
  certificate_expired: {
    fix: 'Have the request of the open task signed once more (keyturn task list), and upload that certificate.',
  },
  certificate_not_yet_valid: {
    fix: 'Check this machine’s clock; if it is right, upload the certificate after that time.',
  },
};

/** The same refusal, told to whoever uploads a certificate for a key of ours. */
export function toldOfOurKey(error: unknown): unknown {
  const words = isKeyturnError(error) ? WORDS[error.code] : undefined;
  if (!isKeyturnError(error) || words === undefined) return error;
  const { code, message, facts } = error;
  return new KeyturnError(code, words.message ?? message, { fix: words.fix, facts });
}
