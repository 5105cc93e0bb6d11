import type { Clock } from '../../core/clock.ts';
import type { Notifier } from '../../notify/notifier.ts';
import type { NotifySetting } from './settings.ts';

/** The ways to people that the configuration names. None is asked anything, and their files are read when they are used. */
export async function openNotifiers({ webhook, mail }: NotifySetting, clock: Clock): Promise<Notifier[]> {
  const notifiers: Notifier[] = [];
  if (webhook !== null) {
    const { Webhook } = await import('../../notify/webhook/webhook.ts');
    notifiers.push(new Webhook({ ...webhook, clock }));
  }
  if (mail !== null) {
    const { Mail } = await import('../../notify/mail/mail.ts');
    notifiers.push(new Mail(mail));
  }
  return notifiers;
}
