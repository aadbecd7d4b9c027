/** The gateway's end of the channel to the daemon. */
import type { DenialCode } from "../domain/denial.ts";
import { eventBacklog, eventBatch, eventDelay, verbTime } from "./limits.ts";
import { type FromGateway, type LaneSpec, readToGateway } from "./messages.ts";
import type { ReserveAsk, Reserved, SettleReport } from "./model-reserve.ts";
import type { RequestEvent } from "./record.ts";

export interface Channel {
  ready(): void;
  /** Says why it does not serve, and ends the process. */
  refuse(why: string): void;
  emit(event: RequestEvent): void;
  callVerb(sandbox: string, verb: string, body: unknown): Promise<{ status: number; body: unknown }>;
  reserve(sandbox: string, ask: ReserveAsk): Promise<Reserved>;
  progress(sandbox: string, reservation: string): void;
  settle(sandbox: string, report: SettleReport): void;
  /** Undefined when fewer events wait for the daemon than the bound, else resolves then. */
  room(): Promise<void> | undefined;
}

type Answer = { status: number; body: unknown };

/** Opens the channel. Ends the process the moment it is closed: without a daemon nothing may be decided. */
export function createChannel(commands: {
  open(lane: LaneSpec): Promise<void>;
  close(sandbox: string): Promise<void>;
}): Channel {
  const calls = new Map<number, (answer: Answer) => void>();
  const reserving = new Map<number, (word: Reserved) => void>();
  const waiting: Array<() => void> = [];
  let backlog = 0;
  let nextCall = 0;
  let events: RequestEvent[] = [];
  /** What was recorded within a moment goes in one message, and always before whatever else is said. */
  const flush = () => {
    const { length } = events;
    if (length === 0) return;
    const batch = events;
    events = [];
    pass({ type: "events", events: batch }, () => {
      backlog -= length;
      while (backlog < eventBacklog && waiting.length > 0) waiting.shift()?.();
    });
  };
  const send = (message: FromGateway, sent: () => void = () => undefined) => {
    flush();
    pass(message, sent);
  };
  const pass = (message: FromGateway, sent: () => void) => {
    if (!process.connected || !process.send) process.exit(1);
    process.send(message, undefined, undefined, (error) => {
      if (error) process.exit(1);
      sent();
    });
  };
  const drained = async () => {
    while (backlog >= eventBacklog) await new Promise<void>((resume) => waiting.push(resume));
  };
  const command = (id: number, work: Promise<void>) => {
    work.then(
      () => send({ type: "done", id, failure: undefined }),
      (error: unknown) =>
        send({ type: "done", id, failure: (error instanceof Error ? error.message : String(error)).slice(0, 2000) }),
    );
  };

  process.on("disconnect", () => process.exit(0));
  process.on("message", (value) => {
    const message = readToGateway(value);
    // A daemon that says what this program does not know is another version of it.
    if (!message) process.exit(1);
    if (message.type === "open") command(message.id, commands.open(message.lane));
    else if (message.type === "close") command(message.id, commands.close(message.sandbox));
    else if (message.type === "reserved") {
      reserving.get(message.id)?.(message.word);
      reserving.delete(message.id);
    } else {
      calls.get(message.id)?.({ status: message.status, body: message.body });
      calls.delete(message.id);
    }
  });
  // A signal meant for the daemon's whole group must not end the sandboxes' only way out before the daemon says so.
  process.on("SIGINT", () => undefined);
  process.on("SIGTERM", () => undefined);

  return {
    ready: () => send({ type: "ready" }),
    refuse: (why) => send({ type: "refused", why: why.slice(0, 2000) }, () => process.exit(1)),
    emit(event) {
      backlog += 1;
      const length = events.push(event);
      if (length === 1) setTimeout(flush, eventDelay);
      else if (length >= eventBatch) flush();
    },
    callVerb(sandbox, verb, body) {
      const { promise, resolve } = Promise.withResolvers<Answer>();
      const id = nextCall++;
      const timer = setTimeout(() => {
        calls.delete(id);
        resolve({
          status: 504,
          body: {
            code: "verb-late" satisfies DenialCode,
            rule: "verbs",
            why: "the host did not answer in time",
            next: "Send it again.",
          },
        });
      }, verbTime);
      calls.set(id, (answer) => {
        clearTimeout(timer);
        resolve(answer);
      });
      send({ type: "verb", id, sandbox, verb, body });
      return promise;
    },
    // No time of its own: the daemon answers or is gone, and then so is this process.
    reserve(sandbox, ask) {
      const { promise, resolve } = Promise.withResolvers<Reserved>();
      const id = nextCall++;
      reserving.set(id, resolve);
      send({ type: "reserve", id, sandbox, ask });
      return promise;
    },
    progress: (sandbox, reservation) => send({ type: "progress", sandbox, reservation }),
    settle: (sandbox, report) => send({ type: "settle", sandbox, report }),
    room: () => (backlog < eventBacklog ? undefined : drained()),
  };
}
