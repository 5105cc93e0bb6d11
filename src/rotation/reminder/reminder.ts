import { timestamp } from '../../core/clock.ts';
import type { Desk } from '../../credential/desk.ts';
import type { Fence } from '../../ledger/fence.ts';
import { rowPages } from '../../ledger/pages.ts';
import type { TaskRow } from '../../ledger/tables.ts';
import type { Delivery, Notice, Notifier } from '../../notify/notifier.ts';
import { nextReminder, stageAt } from './schedule.ts';

export interface ReminderOptions {
  readonly desk: Pick<Desk, 'ledger' | 'clock'>;
  readonly notifiers: readonly Notifier[];
  /** Told of each try, for metrics. Must not throw. */
  readonly onSent?: (notifier: string, sent: boolean) => void;
  /** A notifier fails, or not everybody gets what it sends: told once, until it works again. Must not throw. */
  readonly onFailure?: (notifier: string, cause: string) => void;
}

/** How long a notifier that fails is left alone: at first, and at most, milliseconds. */
const LEFT_ALONE_MS = 30_000;
const LEFT_ALONE_MOST_MS = 600_000;

/** A way to people, and how it goes at this moment. */
interface Channel {
  readonly notifier: Notifier;
  failures: number;
  /** Wall clock, milliseconds. */
  leftAloneUntil: number;
  /** Whom the last one that was sent did not get to; null for nobody. */
  short: string | null;
  /** The newest notice of each task that others took and this one did not. */
  readonly owed: Map<string, Notice>;
}

/**
 * Reminds people of their tasks. Every server looks; one at a time sends. A notice is sent first and journaled then: a
 * server that dies in between lets it be sent once more, under the same id, and never lets it be lost. It counts when one
 * of the ways took it; the others are tried again as long as this server runs.
 */
export class Reminder {
  readonly #options: ReminderOptions;
  readonly #channels: readonly Channel[];
  readonly #stopped = new AbortController();
  #round: Promise<void> | null = null;

  constructor(options: ReminderOptions) {
    this.#options = options;
    this.#channels = options.notifiers.map((notifier) => {
      return { notifier, failures: 0, leftAloneUntil: 0, short: null, owed: new Map<string, Notice>() };
    });
  }

  /** A call during another joins it. @throws KeyturnError `ledger_unavailable`. */
  tick(): Promise<void> {
    if (this.#channels.length === 0 || this.#stopped.signal.aborted) return Promise.resolve();
    this.#round ??= this.#look().finally(() => {
      this.#round = null;
    });
    return this.#round;
  }

  /** Ends what is being sent. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#round?.catch(() => undefined);
  }

  async #look(): Promise<void> {
    const { desk } = this.#options;
    await desk.ledger.withFence(['reminders'], 'try', async (fence) => {
      const open = new Set<string>();
      for await (const page of rowPages(desk.ledger, 'tasks', { state: 'open' }, 'id')) {
        for (const task of page) {
          open.add(task.id);
          if (nextReminder(task) <= desk.clock.now()) await this.#remind(task, fence);
          if (this.#stopped.signal.aborted) return;
        }
      }
      for (const channel of this.#channels) await this.#payOff(channel, open);
    });
  }

  async #remind(task: TaskRow, fence: Fence): Promise<void> {
    const ready = this.#channels.filter((channel) => this.#isReady(channel));
    if (ready.length === 0) return;
    const notice = noticeOf(task, this.#options.desk.clock.now());
    const outcomes = await Promise.all(ready.map((channel) => this.#send(channel, notice)));
    const took = ready.filter((_, at) => outcomes[at]?.sent === true);
    if (took.length === 0) return;
    for (const channel of this.#channels) {
      if (took.includes(channel)) channel.owed.delete(task.id);
      else channel.owed.set(task.id, notice);
    }
    await this.#journal(task, notice, took, fence);
  }

  #isReady({ leftAloneUntil }: Channel): boolean {
    return leftAloneUntil <= this.#options.desk.clock.now();
  }

  async #send(channel: Channel, notice: Notice): Promise<Delivery> {
    const { onSent, onFailure, desk } = this.#options;
    const { notifier } = channel;
    const delivery = await notifier.send(notice, this.#stopped.signal).catch((): Delivery => {
      return { sent: false, cause: 'internal', again: false };
    });
    if (this.#stopped.signal.aborted) return delivery;
    onSent?.(notifier.name, delivery.sent);
    if (delivery.sent) {
      channel.failures = 0;
      if (delivery.short !== undefined && delivery.short !== channel.short) onFailure?.(notifier.name, delivery.short);
      channel.short = delivery.short ?? null;
      return delivery;
    }
    if (channel.failures === 0) onFailure?.(notifier.name, delivery.cause);
    const pause = Math.min(LEFT_ALONE_MOST_MS, LEFT_ALONE_MS * 2 ** Math.min(channel.failures, 10));
    channel.failures += 1;
    channel.leftAloneUntil = desk.clock.now() + pause;
    return delivery;
  }

  /** What others took while this one could not; what is closed meanwhile is nobody's business any more. */
  async #payOff(channel: Channel, open: ReadonlySet<string>): Promise<void> {
    for (const [task, notice] of channel.owed) {
      if (!open.has(task)) channel.owed.delete(task);
      else if (this.#stopped.signal.aborted || !this.#isReady(channel)) return;
      else if ((await this.#send(channel, notice)).sent) channel.owed.delete(task);
    }
  }

  /** Whoever has closed the task or reminded of it meanwhile has the word. */
  async #journal(task: TaskRow, notice: Notice, took: readonly Channel[], fence: Fence): Promise<void> {
    const { ledger } = this.#options.desk;
    const { id, rotation, credential, reminders } = task;
    const by = took.map(({ notifier }) => notifier.name);
    const failed = this.#channels.filter((one) => !took.includes(one)).map(({ notifier }) => notifier.name);
    await ledger.commit({
      checks: [...fence.checks, { rule: 'task-open', table: 'tasks', some: { id, state: 'open', reminders } }],
      writes: [
        {
          update: 'tasks',
          where: { id },
          set: { reminders: notice.number, reminded_at: this.#options.desk.clock.now() },
          rows: 1,
        },
      ],
      entry: {
        kind: 'task.reminded',
        actor: 'system',
        credential,
        data: {
          task: id,
          rotation,
          stage: notice.stage,
          number: notice.number,
          escalated: notice.escalated,
          by,
          failed,
        },
      },
    });
  }
}

function noticeOf(task: TaskRow, now: number): Notice {
  const stage = stageAt(task, now);
  const number = task.reminders + 1;
  const { steps, text } = JSON.parse(task.body) as { readonly steps?: readonly string[]; readonly text?: string };
  return {
    id: `${task.id}.${number}`,
    stage,
    escalated: stage === 'overdue',
    number,
    task: task.id,
    credential: task.credential,
    kind: task.kind,
    owner: task.owner,
    title: task.title,
    steps: steps ?? [],
    text: text ?? null,
    openedAt: timestamp(task.created_at),
    dueAt: timestamp(task.due_at),
  };
}
