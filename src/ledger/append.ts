/**
 * The writing end: group commit. Calls queue in order; one group is one write and one fdatasync, and all that wait for
 * it go on together. After the first failed write or sync nothing more is written until the ledger is opened again: what
 * a failed sync left in the page cache can not be trusted, nor synced a second time (the "fsyncgate" of 2018).
 */
import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { canonicalJson } from "../domain/canonical.ts";
import { SallyportError } from "../domain/error.ts";
import { type Entry, type Event, events } from "../domain/event.ts";
import { subjectId } from "../domain/identity.ts";
import { closingBytes, formLine, type Head, type Sealed } from "./line.ts";
import { segmentName, syncDirectory } from "./segment.ts";
import type { Place, Spans } from "./spans.ts";

/** Signs the head of a segment. The signature is base64. */
export type Sign = (bytes: Uint8Array) => { keyid: string; signature: string };

/** Where writing goes on: the last durable head, and the open segment if there is one. */
export interface Position {
  head: Head;
  /** The number of the segment that is open, or of the one to be made. */
  segment: number;
  /** Bytes and lines in it; 0 lines for one to be made. */
  bytes: number;
  lines: number;
}

interface Waiting {
  sealed: Sealed;
  done?: { resolve: (entry: Entry) => void; reject: (error: unknown) => void };
}

/** How long a recorded event waits for a group to ride with, in milliseconds. */
const recordDelay = 100;
/**
 * Recorded events are written without waiting when there are more than this many. A group is formed in one go: a thousand
 * would keep the daemon from everything else for ten milliseconds.
 */
const recordMax = 128;
/** A group is cut at about this many bytes, to bound memory and the wait of its first. */
const groupBytes = 8 * 1024 ** 2;

/** Checks an event and gives its data one text, before it has a place. Throws `internal`: the caller's fault. */
export function seal(event: Event, now: Date): Sealed {
  const fault = (what: string) =>
    new SallyportError("internal", `an event of type ${JSON.stringify(event.type)} is not valid: ${what}`, {
      next: "This is a fault of Sallyport: nothing was recorded.",
    });
  if (!Object.hasOwn(events, event.type)) throw fault("there is no such type");
  if (event.delegation !== undefined && !subjectId.safeParse(event.delegation).success)
    throw fault("its delegation is not an id");
  const checked = events[event.type].safeParse(event.data);
  if (!checked.success) {
    const [issue] = checked.error.issues;
    throw fault(`${issue?.path.map(String).join(".") || "data"}: ${issue?.message ?? "unknown"}`);
  }
  try {
    return {
      type: event.type,
      delegation: event.delegation,
      data: canonicalJson(checked.data),
      time: now.toISOString(),
    };
  } catch (error) {
    throw fault(error instanceof Error ? error.message : String(error));
  }
}

/** The one writer of a ledger directory. `open.ts` makes it after it has verified what is there. */
export class Appender {
  readonly #directory: string;
  readonly #now: () => Date;
  readonly #sign: Sign;
  readonly #segmentBytes: number;
  readonly #spans: Spans | undefined;
  readonly #listeners = new Set<(entry: Entry) => void>();
  #position: Position;
  #file: FileHandle | undefined;
  #queue: Waiting[] = [];
  #running: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #failure: SallyportError | undefined;
  #closed = false;

  constructor(options: {
    directory: string;
    now: () => Date;
    sign: Sign;
    segmentBytes: number;
    position: Position;
    file: FileHandle | undefined;
    spans?: Spans;
  }) {
    this.#directory = options.directory;
    this.#now = options.now;
    this.#sign = options.sign;
    this.#segmentBytes = options.segmentBytes;
    this.#spans = options.spans;
    this.#position = options.position;
    this.#file = options.file;
  }

  /** The last durable entry's place. */
  head(): Head {
    return { ...this.#position.head };
  }

  failure(): SallyportError | undefined {
    return this.#failure;
  }

  async append(event: Event): Promise<Entry> {
    this.#refuse();
    const sealed = seal(event, this.#now());
    return new Promise<Entry>((resolve, reject) => {
      this.#queue.push({ sealed, done: { resolve, reject } });
      this.#start();
    });
  }

  record(event: Event): void {
    const sealed = seal(event, this.#now());
    // A failed ledger keeps nothing in memory that could later pass for recorded; the next append says so.
    if (this.#failure || this.#closed) return;
    this.#queue.push({ sealed });
    if (this.#queue.length > recordMax) this.#start();
    else this.#timer ??= setTimeout(() => this.#start(), recordDelay).unref();
  }

  subscribe(listener: (entry: Entry) => void): () => void {
    // A listener of its own for each call, so that one function subscribed twice is told twice.
    const own = (entry: Entry) => listener(entry);
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  async flush(): Promise<void> {
    while (this.#queue.length > 0 || this.#running) {
      this.#start();
      await this.#running;
    }
    if (this.#failure) throw this.#failure;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    try {
      await this.flush();
      if (this.#position.lines > 0) {
        await this.#commit([], true).catch((error) => this.#fail(error, []));
        if (this.#failure) throw this.#failure;
      }
    } finally {
      clearTimeout(this.#timer);
      await this.#file?.close();
      this.#file = undefined;
    }
  }

  #refuse(): void {
    if (this.#failure) throw this.#failure;
    if (this.#closed)
      throw new SallyportError("ledger-failed", "the ledger is closed", { next: "Start the daemon again." });
  }

  #start(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#running ??= this.#run();
  }

  async #run(): Promise<void> {
    // Let the calls of this turn join the group.
    await Promise.resolve();
    while (this.#queue.length > 0 && !this.#failure) {
      let bytes = 0;
      let count = 0;
      // A group ends where the segment is full: its closing line rides with it.
      while (count < this.#queue.length && bytes < groupBytes && this.#position.bytes + bytes < this.#segmentBytes) {
        bytes += (this.#queue[count++]?.sealed.data.length ?? 0) + 400;
      }
      const group = this.#queue.splice(0, Math.max(count, 1));
      try {
        await this.#commit(group, false);
      } catch (error) {
        await this.#fail(error, group);
      }
    }
    // In the same turn as the look at the queue: an append between the two would find nobody to write it.
    this.#running = undefined;
  }

  /** Writes a group, closes the segment if it is full or `closing`, syncs once, then tells everyone, in order. */
  async #commit(group: readonly Waiting[], closing: boolean): Promise<void> {
    const { segment } = this.#position;
    let { head, bytes, lines } = this.#position;
    const texts: string[] = [];
    const written: { entry: Entry; place: Place; done: Waiting["done"] }[] = [];
    const add = (sealed: Sealed, done: Waiting["done"]) => {
      const seq = head.seq + 1;
      const { line, hash } = formLine(sealed, seq, head.hash);
      texts.push(`${line}\n`);
      const offset = bytes;
      bytes += Buffer.byteLength(line) + 1;
      lines += 1;
      written.push({ entry: JSON.parse(line) as Entry, place: { segment, offset, next: bytes }, done });
      head = { seq, hash };
    };
    for (const { sealed, done } of group) add(sealed, done);
    const closes = closing || bytes >= this.#segmentBytes;
    if (closes) add(this.#closingLine(segment, lines + 1, head), undefined);

    this.#file ??= await this.#create(segment);
    const file = this.#file;
    await writeAll(file, Buffer.from(texts.join("")), this.#position.bytes);
    await file.datasync();
    if (closes) {
      this.#file = undefined;
      this.#position = { head, segment: segment + 1, bytes: 0, lines: 0 };
      // Everything in it is durable: a failed close takes nothing back.
      await file.close().catch(() => undefined);
    } else {
      this.#position = { head, segment, bytes, lines };
    }
    for (const { entry, place, done } of written) {
      this.#spans?.add(entry, place);
      done?.resolve(entry);
      for (const listener of this.#listeners) this.#tell(listener, entry);
    }
  }

  /** A listener that throws has lost an entry: that is its own crash, and never a failed append. */
  #tell(listener: (entry: Entry) => void, entry: Entry): void {
    try {
      listener(entry);
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  }

  #closingLine(segment: number, lines: number, head: Head): Sealed {
    const time = this.#now().toISOString();
    const { keyid, signature } = this.#sign(closingBytes({ segment, lines, seq: head.seq + 1, prev: head.hash, time }));
    return { ...seal({ type: "segment.closed", data: { segment, lines, keyid, signature } }, new Date(time)), time };
  }

  async #create(segment: number): Promise<FileHandle> {
    const path = join(this.#directory, segmentName(segment));
    const file = await open(
      path,
      constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
      0o600,
    );
    try {
      await syncDirectory(this.#directory);
    } catch (error) {
      await file.close();
      throw error;
    }
    return file;
  }

  /** Nothing of a failed group may be there at the next opening: the file is cut back to what was durable. */
  async #fail(cause: unknown, group: readonly Waiting[]): Promise<void> {
    let left = "";
    try {
      const { bytes } = this.#position;
      await this.#file?.truncate(bytes);
      await this.#file?.datasync();
    } catch (error) {
      left = `; nor could the file be cut back (${reason(error)}), so lines that were refused may stand at its end`;
    }
    this.#failure = new SallyportError("ledger-failed", `the ledger could not be written: ${reason(cause)}${left}`, {
      next: "Make room or mend the disk, then start the daemon again: until then it records nothing and allows nothing.",
      cause,
    });
    const refused = [...group, ...this.#queue];
    this.#queue = [];
    for (const { done } of refused) done?.reject(this.#failure);
  }
}

/** One write() where the kernel takes it whole; the rest of a short one follows. */
async function writeAll(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  // Another writer's lines would be overwritten: two daemons on one ledger must both stop.
  const { size } = await file.stat();
  if (size !== position) throw new Error(`the segment has ${size} bytes, expected ${position}: someone else writes it`);
  let done = 0;
  while (done < bytes.length) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done);
    if (bytesWritten === 0) throw new Error("nothing could be written");
    done += bytesWritten;
  }
}

function reason(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return code ? `${code} (${message})` : String(message ?? error);
}
