/**
 * Accounting of one sandbox: the host's kernel writes 64 bytes into a file of the host's for every process that ends in
 * the sandbox's pid namespace (acct(2)). The sandbox can neither reach the file nor turn it off: that needs
 * CAP_SYS_PACCT, and the filter has no acct(2). It ends with the namespace, so nothing outlives a daemon that is killed.
 * It is evidence, not a control: where it cannot be had, the sandbox runs, and its record says so.
 */
import { spawn } from "node:child_process";
import { constants } from "node:fs";
import { type FileHandle, mkdir, open, readFile, rm, stat, statfs } from "node:fs/promises";
import { join } from "node:path";
import { collectRecords, type ProcessTable } from "./process-table.ts";

/** What ran in a sandbox. */
export interface ProcessAccount extends Partial<ProcessTable> {
  /** Since when, as ISO 8601. */
  from?: string;
  /** Nothing of the command ran before that, and no record is missing. */
  whole: boolean;
  /** Why there are none, or not all. */
  gap?: string;
}

/** Accounting that is on. */
export interface Accounting {
  /** Reads what is there to be read, turns nothing off (the namespace's end does), and removes the files. Never rejects. */
  end(): Promise<ProcessAccount>;
}

/** What is known of the sandbox that is accounted for. */
interface Accounted {
  /** The sandbox's id: what the files are called. */
  id: string;
  /** Host pid of its init. */
  pid: number;
  /** What its control group's path names: a recycled pid proves nothing. */
  owner: string;
}

/** A file is changed for a new one when it has `fileBytes` (a fork bomb fills no disk); looked at every `lookEvery` milliseconds. */
const usualBounds = { fileBytes: 4 * 1024 * 1024, lookEvery: 500 };
/** Milliseconds that turning it on may take. */
const switchLimit = 3000;
const readBytes = 1024 * 1024;

/** Runs accton in a pid namespace that is held open: one that has ended cannot be entered, and another never is. */
async function account(namespace: FileHandle, directory: string, file: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    // A relative name: the sandbox can read the arguments of whatever is in its namespace.
    const child = spawn("nsenter", ["--pid=/proc/self/fd/3", "--", "accton", file], {
      cwd: directory,
      stdio: ["ignore", "ignore", "pipe", namespace.fd],
      env: { PATH: "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin", LC_ALL: "C" },
      timeout: switchLimit,
      killSignal: "SIGKILL",
    });
    let said = "";
    child.stderr?.on("data", (chunk: Buffer) => {
      said = `${said}${chunk.toString()}`.slice(0, 300);
    });
    child.once("error", (error: NodeJS.ErrnoException) =>
      reject(
        new Error(error.code === "ENOENT" ? "nsenter is not installed: apt-get install util-linux" : error.message),
      ),
    );
    child.once("close", (code) => {
      if (code === 0) return resolve();
      const missing = /accton: No such file|failed to execute accton/i.test(said);
      reject(
        new Error(
          missing ? "accton is not installed: apt-get install acct" : `accton ended with ${code}: ${said.trim()}`,
        ),
      );
    });
  });
}

/** Opens the pid namespace of a sandbox's init. Throws where it is not the sandbox's, or is the host's own. */
async function openNamespace({ pid, owner }: Accounted): Promise<FileHandle> {
  const namespace = await open(`/proc/${pid}/ns/pid`, constants.O_RDONLY);
  try {
    const [theirs, own, group] = await Promise.all([
      namespace.stat({ bigint: true }),
      stat("/proc/self/ns/pid", { bigint: true }),
      readFile(`/proc/${pid}/cgroup`, "utf8"),
    ]);
    if (theirs.ino === own.ino || !group.includes(owner)) throw new Error("the sandbox's init is gone");
    return namespace;
  } catch (error) {
    await namespace.close();
    throw error;
  }
}

/** The share of free space, in percent, below which the kernel may have stopped writing (acct(2), kernel.acct). */
async function isShort(directory: string): Promise<boolean> {
  const resume = Number((await readFile("/proc/sys/kernel/acct", "utf8").catch(() => "4")).split(/\s/)[0]);
  const { bavail, blocks } = await statfs(directory);
  return blocks > 0 && (bavail * 100) / blocks < resume;
}

/** Turns accounting on for a sandbox whose command has not begun. Never rejects: what failed is in the account. */
export async function openAccounting(
  of: Accounted,
  directory: string,
  runtime = "runc",
  { fileBytes, lookEvery } = usualBounds,
): Promise<Accounting> {
  // A runtime with a kernel of its own shows the host's kernel one process, whatever runs in it.
  if (runtime !== "runc") {
    const gap = `the host's kernel does not see what runs under ${runtime}`;
    return { end: async () => ({ whole: false, gap }) };
  }
  const gaps: string[] = [];
  const noted = (error: unknown) => {
    const text = (error instanceof Error ? error.message : String(error)).slice(0, 400).toWellFormed();
    if (!gaps.includes(text)) gaps.push(text);
  };
  let namespace: FileHandle | undefined;
  let count = 0;
  let current: { file: FileHandle; path: string; read: number } | undefined;
  const records = collectRecords();
  const chunk = Buffer.allocUnsafe(readBytes);

  const openFile = async () => {
    const name = `${of.id}.${++count}`;
    const path = join(directory, name);
    // O_RDONLY for us: only the kernel writes.
    const file = await open(
      path,
      constants.O_RDONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
      0o600,
    );
    return { file, path, read: 0, name };
  };
  const close = async (one: NonNullable<typeof current>) => {
    await one.file.close();
    await rm(one.path, { force: true });
  };
  const readOn = async (one: NonNullable<typeof current>) => {
    for (;;) {
      const { bytesRead } = await one.file.read(chunk, 0, chunk.length, one.read);
      if (bytesRead === 0) return;
      one.read += bytesRead;
      records.add(chunk.subarray(0, bytesRead));
    }
  };
  const look = async () => {
    if (!current || !namespace) return;
    if (await isShort(directory)) noted("the disk is short of room: the kernel may not have written every record");
    await readOn(current);
    if (current.read < fileBytes) return;
    // The kernel goes over to the new file at once, so none is lost between the two.
    const next = await openFile();
    const failed = await account(namespace, directory, next.name).then(
      () => undefined,
      (error: unknown) => error,
    );
    // The file that is in use goes on being used, and what ended the attempt is looked at again in a moment; unless the
    // kernel has gone over all the same: then the switching process itself is in the new one.
    if (failed !== undefined && (await next.file.stat()).size === 0) return close(next);
    const before = current;
    current = next;
    await readOn(before);
    await close(before);
  };

  let from: string | undefined;
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const [entered, opened] = await Promise.allSettled([openNamespace(of), openFile()]);
    // Whatever of the two is there is closed at the end.
    if (entered.status === "fulfilled") namespace = entered.value;
    if (opened.status === "fulfilled") current = opened.value;
    if (entered.status === "rejected") throw entered.reason;
    if (opened.status === "rejected") throw opened.reason;
    await account(entered.value, directory, opened.value.name);
    from = new Date().toISOString();
  } catch (error) {
    noted(error);
  }
  let looking: Promise<void> | undefined;
  let over = from === undefined;
  let timer: NodeJS.Timeout | undefined;
  const later = () => {
    timer = setTimeout(() => {
      looking = look()
        .catch(noted)
        .finally(() => {
          if (!over) later();
        });
    }, lookEvery);
    timer.unref();
  };
  if (!over) later();

  return {
    async end() {
      over = true;
      clearTimeout(timer);
      await looking;
      try {
        if (current) await readOn(current);
        if (from !== undefined && (await isShort(directory)))
          noted("the disk is short of room: the kernel may not have written every record");
      } catch (error) {
        noted(error);
      }
      if (current) await close(current).catch(noted);
      await namespace?.close().catch(noted);
      if (from === undefined) return { whole: false, gap: gaps.join("; ") || "accounting was not on" };
      const table = records.table();
      if (table.unread > 0) noted(`${table.unread} records could not be read`);
      const whole = gaps.length === 0;
      return { ...table, from, whole, ...(whole ? {} : { gap: gaps.join("; ").slice(0, 500).toWellFormed() }) };
    },
  };
}
