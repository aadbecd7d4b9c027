/** Every kind of source, as it must be and as it must not be: real files, real programs, a real environment. */
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SallyportError } from "../../src/domain/error.ts";
import { parseReference } from "../../src/secrets/reference.ts";
import { resolveSecret } from "../../src/secrets/source.ts";

const value = "canary-4f9e2b7c1d";
let directory = "";
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "secret-source-"));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

let made = 0;
function file(text: string, mode = 0o600, name = `f${++made}`): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}
const program = (lines: string, mode = 0o700) => file(`#!/bin/sh\n${lines}\n`, mode);

const resolve = (reference: string, environment: Record<string, string | undefined> = {}, time = 5000) =>
  resolveSecret(reference, { environment: { PATH: "/usr/bin:/bin", ...environment }, owner: 0, time });

/** What a reference is refused for; a value in the error would fail the test. */
async function refusal(
  reference: string,
  environment: Record<string, string | undefined> = {},
  time = 5000,
): Promise<string> {
  const error = await resolve(reference, environment, time).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(SallyportError);
  const { code, message, next, exitCode } = error as SallyportError;
  expect([code, exitCode]).toEqual(["secret-unavailable", 5]);
  expect(`${message}${next}${(error as Error).stack}`).not.toContain(value);
  expect(next).not.toBe("");
  return message;
}

describe("env:", () => {
  test("is the variable's value", async () => {
    expect(await resolve("env:KEY", { KEY: value })).toBe(value);
  });
  test.each([
    ["missing", {}, /not in the environment/],
    ["empty", { KEY: "" }, /empty/],
    ["too short", { KEY: "1234567" }, /7 characters, fewer than 8/],
    ["only a line break", { KEY: "\n" }, /empty/],
    ["two lines", { KEY: `${value}\n${value}` }, /not printable ASCII/],
    ["a header of its own", { KEY: "abc\r\nx-evil: 1" }, /not printable ASCII/],
    ["one character again and again", { KEY: "aaaaaaaaaaaa" }, /fewer than 4 different/],
    ["a placeholder", { KEY: "sallyport-placeholder-key-0123456789abcdef" }, /placeholder/],
    ["spaces around it", { KEY: ` ${value}` }, /space/],
    ["too long", { KEY: "abcd".repeat(3000) }, /more than 8192/],
  ])("%s is refused", async (_, environment, why) => {
    expect(await refusal("env:KEY", environment)).toMatch(why);
  });
  test("a property of every object is no variable", async () => {
    expect(await refusal("env:constructor")).toMatch(/not in the environment/);
  });
});

describe("file:", () => {
  test.each([0o600, 0o400])("of mode %o is read, without its last line break", async (mode) => {
    expect(await resolve(`file:${file(`${value}\n`, mode)}`)).toBe(value);
    expect(await resolve(`file:${file(value, mode)}`)).toBe(value);
  });
  test.each([0o640, 0o604, 0o644, 0o660, 0o666, 0o700, 0o601])("of mode %o is refused", async (mode) => {
    expect(await refusal(`file:${file(value, mode)}`)).toMatch(/mode is 0\d{3}, not 0600/);
  });
  test("of another owner is refused", async () => {
    const path = file(value);
    chownSync(path, 10001, 10001);
    expect(await refusal(`file:${path}`)).toMatch(/belongs to uid 10001/);
  });
  test("a symbolic link is refused, also to a good file; the file itself is read", async () => {
    const path = file(value);
    symlinkSync(path, `${path}-link`);
    expect(await refusal(`file:${path}-link`)).toMatch(/symbolic link/);
    expect(await resolve(`file:${path}`)).toBe(value);
  });
  test("a directory on the way that is a link is refused", async () => {
    mkdirSync(join(directory, "real"), { mode: 0o700 });
    file(value, 0o600, "real/key");
    symlinkSync(join(directory, "real"), join(directory, "way"));
    expect(await refusal(`file:${directory}/way/key`)).toMatch(/symbolic link/);
    expect(await resolve(`file:${directory}/real/key`)).toBe(value);
  });
  test("a second name of a file is refused: whoever made it may be anybody", async () => {
    const path = file(value);
    linkSync(path, `${path}-again`);
    expect(await refusal(`file:${path}-again`)).toMatch(/hard links/);
  });
  test("in a directory that others can write it is refused, in a sticky one it is read", async () => {
    const open = join(directory, "open");
    mkdirSync(open);
    file(value, 0o600, "open/key");
    chmodSync(open, 0o777);
    expect(await refusal(`file:${open}/key`)).toMatch(/can be written by others/);
    chmodSync(open, 0o1777);
    expect(await resolve(`file:${open}/key`)).toBe(value);
    chownSync(open, 10001, 10001);
    chmodSync(open, 0o700);
    expect(await refusal(`file:${open}/key`)).toMatch(/belongs to uid 10001/);
  });
  test("what is no file is refused at once: a directory, a fifo, a device, nothing", async () => {
    const fifo = join(directory, "fifo");
    execFileSync("mkfifo", ["-m", "600", fifo]);
    expect(await refusal(`file:${fifo}`)).toMatch(/not a regular file/);
    expect(await refusal(`file:${directory}/real`)).toMatch(/not a regular file/);
    expect(await refusal("file:/dev/zero")).toMatch(/not a regular file|mode is/);
    expect(await refusal(`file:${directory}/missing`)).toMatch(/ENOENT/);
  });
  test("a large file is refused unread", async () => {
    expect(await refusal(`file:${file("a1b2".repeat(40_000))}`)).toMatch(/larger than/);
  });
});

describe("credential:", () => {
  test("is a file of the service manager's directory", async () => {
    const place = join(directory, "credentials");
    mkdirSync(place, { mode: 0o700 });
    file(value, 0o400, "credentials/token");
    expect(await resolve("credential:token", { CREDENTIALS_DIRECTORY: place })).toBe(value);
    expect(await refusal("credential:token")).toMatch(/CREDENTIALS_DIRECTORY/);
    expect(await refusal("credential:other", { CREDENTIALS_DIRECTORY: place })).toMatch(/ENOENT/);
    chmodSync(join(place, "token"), 0o444);
    expect(await refusal("credential:token", { CREDENTIALS_DIRECTORY: place })).toMatch(/mode is 0444/);
  });
});

describe("exec:", () => {
  test("is a program's output, with arguments in quotes and no shell", async () => {
    const echo = program('printf "%s" "$1|$2|$3"');
    expect(await resolve(`exec:${echo} 'a b' "c;d" $(id)`)).toBe("a b|c;d|$(id)");
    expect(await resolve(`exec:${program(`echo ${value}`)}`)).toBe(value);
  });
  test("has the environment that it is given and no input", async () => {
    expect(await resolve(`exec:${program('cat; echo "$VAULT_ADDR"')}`, { VAULT_ADDR: "http://127.0.0.1:8200" })).toBe(
      "http://127.0.0.1:8200",
    );
  });
  test("a failing program is refused without what it said", async () => {
    expect(await refusal(`exec:${program(`echo ${value}; echo no ${value} >&2; exit 3`)}`)).toMatch(/ended with 3/);
    expect(await refusal(`exec:${program(`echo ${value}; kill -9 $$`)}`)).toMatch(/ended with SIGKILL/);
    expect(await refusal(`exec:${program("true")}`)).toMatch(/empty/);
    expect(await refusal(`exec:${program("echo short")}`)).toMatch(/5 characters/);
  });
  test("a slow program is ended in time, with all that it started", async () => {
    const pids = join(directory, "pids");
    const slow = program(`echo $$ > ${pids}; sleep 97 & echo $! >> ${pids}; sleep 98`);
    const began = performance.now();
    expect(await refusal(`exec:${slow}`, {}, 500)).toMatch(/no answer within 500 ms/);
    expect(performance.now() - began).toBeLessThan(2000);
    await new Promise((done) => setTimeout(done, 100));
    for (const pid of readFileSync(pids, "utf8").trim().split("\n")) {
      const alive =
        readdirSync("/proc").includes(pid) && !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
      expect(alive).toBe(false);
    }
  });
  test("one that leaves a child holding its output is ended in time too", async () => {
    expect(await refusal(`exec:${program(`echo ${value}; sleep 96 &`)}`, {}, 500)).toMatch(/no answer within 500 ms/);
  });
  test("endless output is cut", async () => {
    expect(await refusal(`exec:${program("yes abcdefgh")}`)).toMatch(/more than 65536 bytes/);
  });
  test("a program behind root's own links is run under the name that it was called by; behind others' it is not", async () => {
    expect(await resolve("exec:/bin/echo canary-behind-a-link")).toBe("canary-behind-a-link");
    const real = program(`echo ${value}`);
    symlinkSync(real, `${real}-link`);
    expect(await resolve(`exec:${real}-link`)).toBe(value);
    execFileSync("chown", ["-h", "10001", `${real}-link`]);
    expect(await refusal(`exec:${real}-link`)).toMatch(/link to the program belongs to uid 10001/);
    const lax = join(directory, "lax");
    mkdirSync(lax);
    chmodSync(lax, 0o777);
    symlinkSync(real, join(lax, "vault"));
    expect(await refusal(`exec:${lax}/vault`)).toMatch(/can be written by others/);
    const inside = file(`#!/bin/sh\necho ${value}\n`, 0o700, "lax/real");
    symlinkSync(inside, join(directory, "into-lax"));
    expect(await refusal(`exec:${directory}/into-lax`)).toMatch(/can be written by others/);
  });
  test("a program that others can change is refused", async () => {
    expect(await refusal(`exec:${program(`echo ${value}`, 0o722)}`)).toMatch(/written by others/);
    const foreign = program(`echo ${value}`, 0o755);
    chownSync(foreign, 10001, 10001);
    expect(await refusal(`exec:${foreign}`)).toMatch(/belongs to uid 10001/);
    expect(await refusal(`exec:${directory}/missing`)).toMatch(/not there/);
    expect(await refusal(`exec:${file(value, 0o600)}`)).toMatch(/does not start/);
  });
});

test.each([
  "",
  "KEY",
  "env:",
  "env:1A",
  "env:A B",
  "file:relative",
  "file:/a/../etc/shadow",
  "file://etc/shadow",
  "file:/a/./b",
  "file:/a/",
  "exec:ls",
  "exec:/bin/echo 'open",
  "exec:",
  "credential:",
  "credential:..",
  "credential:a/b",
  "http://vault",
  "file:/a\nb",
])("%j is no reference", async (reference) => {
  expect(() => parseReference(reference)).toThrow(SallyportError);
  expect(await refusal(reference)).toMatch(/expected|quote|line break/);
});
