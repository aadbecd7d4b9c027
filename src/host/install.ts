/** Puts the program's files where a Debian-like system looks for them, and takes them away again. State is never touched. */
import { lstat, mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { SallyportError } from "../domain/error.ts";

/** Units, examples and dashboards that come with the project. */
export const shippedPackaging = join(import.meta.dirname, "../../packaging");

export interface InstallOptions {
  /** Where manual page, completion and schema go. */
  prefix: string;
  /** Put before every path: another root file system, such as an image's. */
  root: string;
  /** The program that the unit starts, as it is called on the installed system. */
  program: string;
  /** What is made from the commands. */
  man: string;
  completion: { bash: string; zsh: string; fish: string };
  schema: string;
  dryRun: boolean;
}

/** What became of one file: `kept` was changed by the operator, or is theirs from the start. */
export interface InstallStep {
  path: string;
  what: "made" | "changed" | "unchanged" | "kept" | "removed" | "missing";
}

interface Planned {
  path: string;
  mode: number;
  text: string;
  /** The operator's once it is there: written once, never changed, never removed. */
  operators?: true;
}

async function planned(options: InstallOptions): Promise<Planned[]> {
  const { prefix, man, completion, schema, program } = options;
  if (!/^\/[\w./@+-]+$/.test(program) || !prefix.startsWith("/"))
    throw new SallyportError("usage", `the program's path cannot stand in a unit: ${program}`, {
      next: "Name absolute paths of plain characters.",
    });
  const shipped = (path: string) => readFile(join(shippedPackaging, path), "utf8");
  const share = join(prefix, "share");
  return [
    {
      path: "/etc/systemd/system/sallyport.service",
      mode: 0o644,
      text: (await shipped("systemd/sallyport.service")).replaceAll("@SALLYPORT@", program),
    },
    { path: "/etc/systemd/system/sallyport.socket", mode: 0o644, text: await shipped("systemd/sallyport.socket") },
    { path: "/etc/logrotate.d/sallyport", mode: 0o644, text: await shipped("logrotate/sallyport") },
    { path: "/var/lib/sallyport/config.yaml", mode: 0o600, text: await shipped("config.yaml"), operators: true },
    { path: join(share, "man/man1/sallyport.1"), mode: 0o644, text: man },
    { path: join(share, "bash-completion/completions/sallyport"), mode: 0o644, text: completion.bash },
    { path: join(share, "zsh/site-functions/_sallyport"), mode: 0o644, text: completion.zsh },
    { path: join(share, "fish/vendor_completions.d/sallyport.fish"), mode: 0o644, text: completion.fish },
    { path: join(share, "sallyport/config.schema.json"), mode: 0o644, text: schema },
  ];
}

/** Installs, or brings up to date what is there: a second time changes nothing. Errors: `usage`. */
export async function install(options: InstallOptions): Promise<InstallStep[]> {
  const steps: InstallStep[] = [];
  const state = join(resolve(options.root), "/var/lib/sallyport");
  for (const { path, mode, text, operators } of await planned(options)) {
    const at = join(resolve(options.root), path);
    const there = await contentOf(at);
    if (there !== undefined && operators) steps.push({ path: at, what: "kept" });
    else if (there === text) steps.push({ path: at, what: "unchanged" });
    else {
      steps.push({ path: at, what: there === undefined ? "made" : "changed" });
      if (options.dryRun) continue;
      // The state is the owner's alone, from its first moment.
      await mkdir(dirname(at), { recursive: true, mode: dirname(at) === state ? 0o700 : 0o755 });
      await write(at, text, mode);
    }
  }
  return steps;
}

/** Takes away what `install` made and nobody changed. What the operator wrote, and all state, stays. */
export async function uninstall(options: InstallOptions): Promise<InstallStep[]> {
  const steps: InstallStep[] = [];
  for (const { path, text, operators } of await planned(options)) {
    const at = join(resolve(options.root), path);
    const there = await contentOf(at);
    if (there === undefined) steps.push({ path: at, what: "missing" });
    else if (operators || there !== text) steps.push({ path: at, what: "kept" });
    else {
      steps.push({ path: at, what: "removed" });
      if (!options.dryRun) await rm(at);
    }
  }
  return steps;
}

async function contentOf(path: string): Promise<string | undefined> {
  const found = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return undefined;
    throw error;
  });
  if (!found) return undefined;
  // A masked unit is a link to /dev/null: whoever made it meant it.
  if (!found.isFile())
    throw new SallyportError("usage", `${path} is no plain file`, { next: "Move it away, then install again." });
  return readFile(path, "utf8");
}

async function write(path: string, text: string, mode: number): Promise<void> {
  const fresh = `${path}.new-${process.pid}`;
  const handle = await open(fresh, "wx", mode);
  try {
    await handle.chmod(mode);
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(fresh, path);
}
