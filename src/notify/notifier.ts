/** How near its due date a task is when somebody is reminded of it. */
export type NoticeStage = 'opened' | 'half-time' | 'due' | 'overdue';

/** What a person is told of a task. Nothing secret is in it. */
export interface Notice {
  /** Of this very reminder, and the same when it is sent again: a receiver can tell. */
  readonly id: string;
  readonly stage: NoticeStage;
  /** The second contact hears of it as well. */
  readonly escalated: boolean;
  /** 1, 2, 3 …: which reminder of the task it is. */
  readonly number: number;
  readonly task: string;
  readonly credential: string;
  readonly kind: string;
  /** Whom it is for: the role of a contact, or a principal. */
  readonly owner: string;
  readonly title: string;
  readonly steps: readonly string[];
  /** Ready to be sent to the partner; null when there is none. */
  readonly text: string | null;
  /** RFC 3339. */
  readonly openedAt: string;
  readonly dueAt: string;
}

/** What a person is told who tries whether notices arrive. */
export interface TestNotice {
  readonly id: string;
  readonly stage: 'test';
  /** As if it were of a task of theirs. */
  readonly owner: string;
  /** Principal. */
  readonly askedBy: string;
  /** RFC 3339. */
  readonly sentAt: string;
}

/**
 * What became of it. `cause` and `short` are short, stable and quote nothing that was received; `again`: another try may go
 * better; `short`: some got it and some did not, whom the configuration names.
 */
export type Delivery =
  | { readonly sent: true; readonly short?: string }
  | { readonly sent: false; readonly cause: string; readonly again: boolean };

/** PORT. A way to reach people. */
export interface Notifier {
  /** As metrics, log and entries call it. */
  readonly name: string;
  /** Never rejects. What is said not to be sent may have arrived all the same. Aborted: it ends soon, unsent. */
  send(notice: Notice | TestNotice, signal: AbortSignal): Promise<Delivery>;
}
