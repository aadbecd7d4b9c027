/** Values that change, fail, or are slow; and who may ask for what. Real files, real programs, a real gateway. */
import { spawnSync } from "node:child_process";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { SallyportError } from "../../src/domain/error.ts";
import { createVault, valueAge } from "../../src/gateway/secret-vault.ts";
import { loopback, proxied, type Recorder, raw, recorder, statusOf } from "./rig.ts";
import { type SecretRig, startSecretRig } from "./secret-rig.ts";

let rig: SecretRig;
let server: Recorder;
beforeAll(async () => {
  rig = await startSecretRig();
  server = await recorder((request, response) => response.end(`echo ${request.headers["x-api-key"]}`));
});
afterEach(() => rig.closeLanes());
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await rig[Symbol.asyncDispose]();
});

const script = (name: string, text: string) => {
  const path = join(rig.directory, `${name}.sh`);
  writeFileSync(path, `#!/bin/sh\n${text}\n`);
  chmodSync(path, 0o700);
  return `exec:${path}`;
};
const refusal = (work: Promise<unknown>): Promise<SallyportError> =>
  work.then(
    () => expect.unreachable(),
    (error: unknown) => error as SallyportError,
  );

describe("before a delegation starts", () => {
  test("every reference that fails is named, with its reason and never a value", async () => {
    const good = rig.file("good", "canary-good-123");
    const short = rig.file("short", "short");
    const open = rig.file("open", "canary-open-123");
    chmodSync(open.slice(5), 0o644);
    const error = await refusal(
      rig.gateway.holdSecrets("d-check", {
        good: { from: good, header: "a" },
        short: { from: short, header: "a" },
        open: { from: open, header: "a" },
        gone: { from: "file:/nowhere/at/all", header: "a" },
        unset: { from: "env:SALLYPORT_TEST_NOT_SET", header: "a" },
        vault: { from: script("bad", "echo canary-said-456; echo canary-said-456 >&2; exit 7"), header: "a" },
      }),
    );
    expect([error.code, error.exitCode]).toEqual(["secret-unavailable", 5]);
    for (const part of [
      /secret short: file:.*5 characters/,
      /secret open: .*mode is 0644/,
      /secret gone: .*ENOENT/,
      /secret unset: env:/,
      /secret vault: exec:.*ended with 7/,
    ]) {
      expect(error.message).toMatch(part);
    }
    expect(error.message).not.toMatch(/secret good|canary/);
    expect(error.next).not.toBe("");
    // The twin: with what is good alone it starts.
    await rig.gateway.holdSecrets("d-check", { good: { from: good, header: "a" } });
  });
  test("a source that hangs is refused after five seconds, and other secrets do not wait for it", async () => {
    const began = performance.now();
    const slow = refusal(
      rig.gateway.holdSecrets("d-slow", { slow: { from: script("slow", "sleep 95"), header: "a" } }),
    );
    await rig.gateway.holdSecrets("d-quick", { quick: { from: rig.file("quick", "canary-quick-1"), header: "a" } });
    expect(performance.now() - began).toBeLessThan(2000);
    expect((await slow).message).toMatch(/no answer within 5000 ms/);
    expect(performance.now() - began).toBeLessThan(9000);
    expect(spawnSync("pgrep", ["-f", "^sleep 95$"]).status).toBe(1);
  }, 20_000);
  test("a lane cannot be opened for what nobody holds", async () => {
    const placeholder = `sallyport-placeholder-key-${"0".repeat(16)}`;
    const spec = {
      sandbox: "s-zzzzzzzzzzzzzzzz",
      role: "executor" as const,
      network: [loopback(server.port, { secret: "key" })],
      models: {},
      requests: 1,
      verbs: [],
    };
    const bound = { key: { binding: { from: "env:X", header: "a" }, placeholder } };
    expect((await refusal(rig.gateway.openLane({ ...spec, secrets: { holder: "d-nobody", bound } }))).message).toMatch(
      /no value is held/,
    );
    expect((await refusal(rig.gateway.openLane(spec))).message).toMatch(/name the secret key, which it has not/);
    expect(
      (
        await refusal(
          rig.gateway.openLane({
            ...spec,
            secrets: { holder: "d-nobody", bound: { key: { ...bound.key, placeholder: "mine" } } },
          }),
        )
      ).message,
    ).toMatch(/not one/);
  });
});

describe("only what a policy names", () => {
  test("a reference is resolved as long as somebody holds it, and no other", async () => {
    // As the gateway would ask if it were taken over: by a reference that the daemon has allowed to nobody.
    const { createConnection, createServer } = await import("node:net");
    const { openLink } = await import("../../src/gateway/secret-link.ts");
    const path = join(rig.directory, "link.sock");
    const listener = createServer();
    await new Promise<void>((done) => listener.listen(path, done));
    const accepted = new Promise<import("node:net").Socket>((done) => listener.once("connection", done));
    const mine = createConnection(path);
    await rig.keeper.link(await accepted);
    const link = openLink(mine, () => undefined);
    try {
      const allowed = rig.file("allowed", "canary-allowed-1");
      const other = rig.file("other", "canary-other-12");
      for (const reference of [
        other,
        allowed,
        "file:/etc/shadow",
        "env:PATH",
        "exec:/bin/cat /etc/shadow",
        "",
        "__proto__",
      ]) {
        expect((await refusal(link.ask("resolve", { reference, name: "x" }))).message).toBe(
          "no policy in force names that reference",
        );
      }
      await rig.keeper.allow("d-allowed", [allowed]);
      expect(await link.ask("resolve", { reference: allowed, name: "x" })).toBe("canary-allowed-1");
      expect((await refusal(link.ask("resolve", { reference: other, name: "x" }))).code).toBe("secret-unavailable");
      expect((await refusal(link.ask("run", { reference: allowed, name: "x" }))).code).toBe("secret-unavailable");
      rig.keeper.release("d-allowed");
      await rig.keeper.allow("d-sync", []);
      expect((await refusal(link.ask("resolve", { reference: allowed, name: "x" }))).code).toBe("secret-unavailable");
    } finally {
      link.close();
      await new Promise((done) => listener.close(done));
    }
  });
  test("a vault's program does not see the secrets that are variables", async () => {
    process.env.SALLYPORT_TEST_CANARY = "canary-variable-1";
    await using fresh = await startSecretRig();
    delete process.env.SALLYPORT_TEST_CANARY;
    const path = join(fresh.directory, "env.sh");
    writeFileSync(path, '#!/bin/sh\necho "seen:$(printenv SALLYPORT_TEST_CANARY || echo nothing-at-all)"\n');
    chmodSync(path, 0o700);
    await fresh.gateway.holdSecrets("d-env", {
      variable: { from: "env:SALLYPORT_TEST_CANARY", header: "a" },
      program: { from: `exec:${path}`, header: "a" },
    });
    expect(await fresh.gateway.mask("canary-variable-1")).toBe("[secret:variable]");
    expect(await fresh.gateway.mask("seen:nothing-at-all")).toBe("[secret:program]");
  });
});

describe("rotation", () => {
  test("a changed value is used once the old one has aged, and both stay masked", async () => {
    let now = 0;
    let value = "canary-old-123456";
    let asked = 0;
    const vault = createVault({
      now: () => now,
      resolve: async () => {
        asked += 1;
        return value;
      },
    });
    await vault.hold("d-1", { key: "file:/x" });
    expect([await vault.value("d-1", "key"), asked]).toEqual(["canary-old-123456", 1]);
    value = "canary-new-654321";
    now = valueAge - 1;
    expect(await vault.value("d-1", "key")).toBe("canary-old-123456");
    now = valueAge;
    const many = await Promise.all(Array.from({ length: 20 }, () => vault.value("d-1", "key")));
    expect(new Set(many)).toEqual(new Set(["canary-new-654321"]));
    // Twenty requests at once are one question to the source.
    expect(asked).toBe(2);
    expect(vault.mask("canary-old-123456 canary-new-654321")).toBe("[secret:key] [secret:key]");
    const masked = vault.search("d-1").next(Buffer.from("canary-old-123456"), 0);
    expect(masked?.name).toBe("key");
    vault.release("d-1");
    // Nobody holds it, and what the house writes down is masked all the same.
    expect(vault.mask("canary-old-123456 canary-new-654321")).toBe("[secret:key] [secret:key]");
    await expect(vault.value("d-1", "key")).rejects.toThrow(/not held/);
  });
  test("a source that fails later is not papered over with its last value", async () => {
    let now = 0;
    let fail = false;
    const vault = createVault({
      now: () => now,
      resolve: async () => {
        if (fail) throw new SallyportError("secret-unavailable", "exec:/vault: sealed");
        return "canary-123456";
      },
    });
    await vault.hold("d-1", { key: "exec:/vault" });
    fail = true;
    now = valueAge;
    await expect(vault.value("d-1", "key")).rejects.toThrow(/sealed/);
    fail = false;
    expect(await vault.value("d-1", "key")).toBe("canary-123456");
  });
  test("through a real gateway: the file changes, and so does what goes upstream, without a new lane", async () => {
    rig.file("key", "canary-first-1234");
    const { socket, placeholders } = await rig.lane({
      secrets: { key: { header: "x-api-key" } },
      network: [loopback(server.port, { secret: "key" })],
    });
    const send = async () => {
      const text = await raw(socket, proxied(server.port, "/", "GET", `x-api-key: ${placeholders.key}\r\n`));
      expect(text).toContain("echo [secret:key]");
      const sent = server.seen.at(-1)?.rawHeaders ?? [];
      return sent[sent.findIndex((name) => name.toLowerCase() === "x-api-key") + 1];
    };
    expect(await send()).toBe("canary-first-1234");
    rig.file("key", "canary-second-567");
    const end = Date.now() + valueAge + 5000;
    while ((await send()) !== "canary-second-567") {
      expect(Date.now()).toBeLessThan(end);
      await new Promise((done) => setTimeout(done, 1000));
    }
    expect(await rig.gateway.mask("canary-first-1234 canary-second-567")).toBe("[secret:key] [secret:key]");
    rig.file("key", "short");
    chmodSync(rig.file("key", "canary-third-89").slice(5), 0o644);
    const late = Date.now() + valueAge + 5000;
    for (;;) {
      const text = await raw(socket, proxied(server.port, "/", "GET", `x-api-key: ${placeholders.key}\r\n`));
      if (statusOf(text) !== 200) {
        expect(statusOf(text)).toBe(403);
        expect(text).toContain("secret-unavailable");
        // A sandbox learns that it cannot be had, not where the operator keeps it.
        expect(text).not.toMatch(/file:|canary|0644/);
        break;
      }
      expect(Date.now()).toBeLessThan(late);
      await new Promise((done) => setTimeout(done, 1000));
    }
    expect(rig.log.join("\n")).not.toContain("canary");
  }, 90_000);
});
