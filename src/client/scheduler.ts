/** Where delays come from. Injected, so that tests decide when time passes. */
export interface Scheduler {
  /** Runs `task` once, `ms` milliseconds from now; the result cancels it. */
  after(ms: number, task: () => void): () => void;
}

/** Longest delay that a timer of the runtime takes: 2^31 - 1 ms. A longer one would fire at once. */
const MAX_DELAY_MS = 2_147_483_647;

/** Timers that do not keep the process alive. */
export const systemScheduler: Scheduler = {
  after(ms, task) {
    const timer = setTimeout(task, Math.min(Math.max(0, ms), MAX_DELAY_MS)).unref();
    return () => clearTimeout(timer);
  },
};
