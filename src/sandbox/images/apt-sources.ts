/** The host's apt configuration, as far as a bootstrap of the base image should follow it: mirrors, proxies, CAs. */
import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/**
 * The entries of one apt source file that belong to the suite, its updates or its security updates; others (other
 * releases, third parties) stay out of the image. `name` tells the format: `.sources` is deb822, `.list` one line each.
 */
export function suiteEntries(text: string, name: string, suite: string): string[] {
  const belongs = (candidate: string): boolean =>
    [suite, `${suite}-updates`, `${suite}-security`, `${suite}/updates`].includes(candidate);
  if (name.endsWith(".list")) {
    return text
      .split("\n")
      .map((line) => line.replace(/#.*/, "").trim())
      .filter((line) => belongs(/^deb\s+(?:\[[^\]]*\]\s+)?\S+\s+(\S+)/.exec(line)?.[1] ?? ""));
  }
  return text
    .split(/\n[ \t]*\n/)
    .map((stanza) =>
      stanza
        .split("\n")
        .filter((line) => !line.startsWith("#") && line.trim() !== "")
        .join("\n"),
    )
    .filter((stanza) => {
      const field = (key: string): string[] =>
        new RegExp(`^${key}:(.*)$`, "im").exec(stanza)?.[1]?.trim().split(/\s+/) ?? [];
      const suites = field("Suites");
      return (
        field("Types").includes("deb") && suites.length > 0 && suites.every(belongs) && !/^Enabled:\s*no/im.test(stanza)
      );
    });
}

/** All entries of the host for the suite, by format: what is handed to the bootstrap as its mirrors. */
export async function hostSources(suite: string, directory = "/etc/apt"): Promise<{ list: string; deb822: string }> {
  const parts = await readdir(join(directory, "sources.list.d")).catch(() => [] as string[]);
  const files = ["sources.list", ...parts.sort().map((part) => join("sources.list.d", part))];
  const found = { list: [] as string[], deb822: [] as string[] };
  for (const file of files) {
    if (!/\.(list|sources)$/.test(file)) continue;
    const text = await readFile(join(directory, file), "utf8").catch(() => "");
    found[file.endsWith(".list") ? "list" : "deb822"].push(...suiteEntries(text, file, suite));
  }
  return { list: found.list.join("\n"), deb822: found.deb822.join("\n\n") };
}

/**
 * The host's `Acquire` options that say how to reach a mirror: proxies, proxy detection, CAs, client certificates,
 * retries and timeouts. They may hold credentials: keep them in a file that only the owner reads.
 */
export async function hostAcquireOptions(): Promise<string> {
  const { stdout } = await run("apt-config", ["dump"], { timeout: 10_000 }).catch(() => ({ stdout: "" }));
  return acquireOptions(stdout);
}

/** The lines of an `apt-config dump` that `hostAcquireOptions` keeps. */
export function acquireOptions(dump: string): string {
  const kept =
    /^Acquire::(?:(?:http|https|ftp)::(?:Proxy|Proxy-Auto-Detect|ProxyAutoDetect|CaInfo|CaPath|SslCert|SslKey|Verify-Peer|Verify-Host|Timeout)|(?:https?)::\S+::\S+|Retries|ForceIPv[46]) /i;
  return dump
    .split("\n")
    .filter((line) => kept.test(`${line.split(" ")[0]} `) && !/ "";$/.test(line))
    .map((line) => `${line}\n`)
    .join("");
}
