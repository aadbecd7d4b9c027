/** Objects of a repository, read through one long-lived `git cat-file --batch`: asked for by object id, never by a path. */
import { SallyportError } from "../domain/error.ts";
import { startGit } from "./git.ts";

export interface TreeEntry {
  name: Buffer;
  /** As git writes it: 100644, 100755, 120000, 040000, 160000. */
  mode: string;
  oid: string;
}

export interface ObjectReader {
  /** The bytes of an object. Errors: `git-failed` where it is missing, of another type, or larger than `maxBytes`. */
  read(oid: string, type: "blob" | "tree" | "commit", maxBytes: number): Promise<Buffer>;
  /** The entries of a tree, in git's order. Read once, then remembered. */
  tree(oid: string): Promise<TreeEntry[]>;
  close(): Promise<void>;
}

/** The largest tree object that is read: about half a million names in one directory. */
const treeCap = 32 * 1024 * 1024;

/** The entries of a raw tree object; `hashBytes` is 20 or 32. Errors: `git-failed` where it does not parse. */
export function parseTree(bytes: Buffer, hashBytes: number): TreeEntry[] {
  const entries: TreeEntry[] = [];
  let at = 0;
  while (at < bytes.length) {
    const space = bytes.indexOf(0x20, at);
    const nul = space === -1 ? -1 : bytes.indexOf(0, space + 1);
    if (nul === -1 || nul + 1 + hashBytes > bytes.length) throw broken("a tree object does not parse");
    entries.push({
      mode: bytes.toString("latin1", at, space).padStart(6, "0"),
      name: Buffer.from(bytes.subarray(space + 1, nul)),
      oid: bytes.toString("hex", nul + 1, nul + 1 + hashBytes),
    });
    at = nul + 1 + hashBytes;
  }
  return entries;
}

function broken(message: string): SallyportError {
  return new SallyportError("git-failed", message, { next: "Check the repository with `git fsck`." });
}

interface Question {
  oid: string;
  type: string;
  maxBytes: number;
  resolve(bytes: Buffer): void;
  reject(error: unknown): void;
}

/** Opens a reader on a git directory of the daemon's own. It must be closed. */
export function openObjects(gitDir: string, timeout = 600_000): ObjectReader {
  const git = startGit(["cat-file", "--batch"], { gitDir, timeout });
  const waiting: Question[] = [];
  const trees = new Map<string, Promise<TreeEntry[]>>();
  let closed = false;
  const answers = (async () => {
    // Header, then exactly `size` bytes and a newline. Cut by counting: content is never looked at for a border.
    let buffered: Buffer[] = [];
    let size = 0;
    const chunks = git.stdout[Symbol.asyncIterator]();
    const more = async () => {
      const next = await chunks.next();
      if (next.done) throw broken("git ended before it had answered");
      buffered.push(next.value as Buffer);
      size += (next.value as Buffer).length;
    };
    const take = (length: number): Buffer => {
      const all = buffered.length === 1 ? (buffered[0] as Buffer) : Buffer.concat(buffered);
      buffered = [all.subarray(length)];
      size -= length;
      return all.subarray(0, length);
    };
    for (;;) {
      const question = waiting[0];
      if (!question && closed) return;
      let line = -1;
      while (line === -1) {
        const all = Buffer.concat(buffered);
        buffered = [all];
        line = all.indexOf(0x0a);
        if (line === -1) {
          const next = await chunks.next();
          if (next.done) return;
          buffered.push(next.value as Buffer);
          size += (next.value as Buffer).length;
        }
      }
      const header = take(line + 1)
        .toString("latin1")
        .trim();
      const asked = waiting.shift();
      if (!asked) throw broken("git answered what nobody asked");
      const match = /^([0-9a-f]+) (\w+) (\d+)$/.exec(header);
      if (!match) {
        asked.reject(broken(`object ${asked.oid} is missing`));
        continue;
      }
      let left = Number(match[3]);
      const keep = match[2] === asked.type && left <= asked.maxBytes;
      const parts: Buffer[] = [];
      for (left += 1; left > 0; ) {
        if (size === 0) await more();
        const part = take(Math.min(size, left));
        left -= part.length;
        if (keep) parts.push(part);
      }
      if (keep) asked.resolve(Buffer.concat(parts).subarray(0, -1));
      else
        asked.reject(
          broken(
            `object ${asked.oid} is a ${match[2]} of ${match[3]} bytes, wanted a ${asked.type} of at most ${asked.maxBytes}`,
          ),
        );
    }
  })();
  answers
    .catch((error: unknown) => error)
    .then(async (error) => {
      closed = true;
      const reason =
        error ??
        (await git.done.then(
          () => broken("git has ended"),
          (e: unknown) => e,
        ));
      for (const question of waiting.splice(0)) question.reject(reason);
    });

  const read = (oid: string, type: "blob" | "tree" | "commit", maxBytes: number) =>
    new Promise<Buffer>((resolve, reject) => {
      if (closed || !/^[0-9a-f]{40,64}$/.test(oid)) {
        reject(broken(closed ? "the object reader is closed" : `not an object id: ${oid.slice(0, 80)}`));
        return;
      }
      waiting.push({ oid, type, maxBytes, resolve, reject });
      git.stdin.write(`${oid}\n`);
    });
  return {
    read,
    tree(oid) {
      let entries = trees.get(oid);
      if (!entries) {
        entries = read(oid, "tree", treeCap).then((bytes) => parseTree(bytes, oid.length / 2));
        trees.set(oid, entries);
      }
      return entries;
    },
    async close() {
      git.stdin.end();
      await git.done.catch(() => {});
    },
  };
}
