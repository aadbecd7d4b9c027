/** The end of a daemon that is wanted: what runs may end, what waits goes on in the next one, and nothing new is taken. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { stateDirectory } from "../../src/host/state-directory.ts";
import { checkStateFormat, stateFormat } from "../../src/host/state-format.ts";
import { openHost, type TestHost } from "./daemon.ts";
import { until } from "./leftovers.ts";

let host: TestHost;
beforeAll(async () => {
  host = await openHost({ lanes: 1, config: { drain: "60s" } });
}, 600_000);
afterAll(() => host?.close());

const slow = { instructions: "sleep 4; sed -i s/Math.floor/Math.round/ src/money.js" };
const running = (id: string) => host.seen(id, "attempt.started");
const ended = (pid: number) =>
  until(
    "the daemon's end",
    () => {
      try {
        process.kill(pid, 0);
        return false;
      } catch {
        return true;
      }
    },
    100,
  );

it("drain: what runs ends, what waits goes on after the next start, what comes is refused", {
  timeout: 300_000,
}, async () => {
  const repository = host.repository();
  const first = await host.send(repository, slow);
  const second = await host.send(host.repository());
  await running(first);
  const { pid } = host;
  const drain = host.begin("drain");
  await until(
    "the refusal",
    async () => (await host.api("POST", "/v1/delegations", {})).body.includes("host-draining"),
    30,
  );
  // Reading goes on, and so does the planner's own stop.
  expect((await host.api("GET", "/v1/status")).status).toBe(200);
  const said = await drain.done;
  expect(said.code, said.stderr).toBe(0);
  expect(said.json()).toMatchObject({ ended: true, waiting: 1 });
  await ended(pid);
  const types = host.entries(first).map(({ type }) => type);
  expect(types).toContain("delegation.approved");
  expect(types).not.toContain("attempt.failed");
  expect(host.entries(second).map(({ type }) => type)).toEqual(["delegation.accepted"]);
  expect(
    host
      .entries()
      .filter(({ type }) => type === "host.stopped")
      .at(-1)?.data,
  ).toEqual({ reason: "drained" });
  await host.stop();
  await host.up();
  expect((await host.rest(second)).state).toBe("approved");
});

it("SIGTERM waits so long as the configuration says; drain --now does not", { timeout: 300_000 }, async () => {
  const first = await host.send(host.repository(), slow);
  await running(first);
  expect(await host.stop()).toBe(0);
  expect(host.entries(first).map(({ type }) => type)).toContain("delegation.approved");
  await host.up();
  const second = await host.send(host.repository(), { instructions: "sleep 30; true" });
  await running(second);
  const { pid } = host;
  const said = await host.cli("drain", "--now");
  expect(said.code).toBe(0);
  await ended(pid);
  expect(host.entries(second).map(({ type }) => type)).toContain("attempt.failed");
  await host.stop();
  await host.up();
  await host.cli("discard", second);
});

describe("a state's form", () => {
  const directory = mkdtempSync(join(tmpdir(), "sp-form-"));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  it("is written once, and a newer one is refused", async () => {
    const state = stateDirectory(directory);
    await checkStateFormat(state);
    expect(readFileSync(join(directory, "format"), "utf8")).toBe(`${stateFormat}\n`);
    await checkStateFormat(state);
    for (const text of [`${stateFormat + 1}\n`, "soon\n"]) {
      writeFileSync(join(directory, "format"), text);
      await expect(checkStateFormat(state)).rejects.toMatchObject({ code: "state-newer" });
    }
  });

  it("is refused where the key is gone and what was signed with it is not", async () => {
    const state = stateDirectory(join(directory, "k"));
    mkdirSync(state.keys, { recursive: true });
    writeFileSync(join(state.keys, "host.pub"), "");
    await expect(checkStateFormat(state)).rejects.toMatchObject({ code: "control-missing" });
    writeFileSync(join(state.keys, "host.key"), "");
    await checkStateFormat(state);
  });
});
