/** What ran in a daemon's sandboxes: in the ledger whatever ends them, and nothing of it left when the daemon is killed. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Entry } from "../../src/domain/event.ts";
import { openHost, type TestHost } from "./daemon.ts";
import { leftovers, until } from "./leftovers.ts";

let host: TestHost;
beforeAll(async () => {
  host = await openHost();
}, 600_000);
afterAll(async () => host?.close(), 120_000);

type Processes = Extract<Entry, { type: "sandbox.processes" }>;
const told = (id: string) => host.entries(id).filter((entry): entry is Processes => entry.type === "sandbox.processes");
/** The files that the kernel writes. */
const files = () =>
  readdirSync(join(host.state, "lanes")).flatMap((instance) => {
    const directory = join(host.state, "lanes", instance);
    const names = existsSync(directory) ? readdirSync(directory) : [];
    return names.filter((name) => /^s-[a-z2-7]{16}\.\d+$/.test(name)).map((name) => join(directory, name));
  });

it("every sandbox that ended has its processes in the ledger, each with the name it gave itself", async () => {
  const d = await host.turn(host.repository(), {
    instructions: "cp /bin/sh /tmp/x 2>/dev/null; sed -i s/Math.floor/Math.round/ src/money.js; sh -c 'exit 4'; true",
  });
  expect(d.state).toBe("approved");
  const ended = host.entries(d.id).flatMap((entry) => (entry.type === "sandbox.ended" ? [entry.data.sandbox] : []));
  const all = told(d.id);
  expect(all.map(({ data }) => data.sandbox).sort()).toEqual(ended.sort());
  for (const { data } of all) expect(data).toMatchObject({ by: "kernel", whole: true });
  const executor = all.find(({ data }) => data.sandbox === d.sandboxes.find(({ role }) => role === "executor")?.id);
  expect(executor?.data.processes.filter(({ exit }) => exit === 4)).toHaveLength(1);
  expect(executor?.data.names.map(({ name }) => name)).toEqual(expect.arrayContaining(["sed", "cp"]));
  expect(files()).toEqual([]);
}, 180_000);

it("a daemon that is killed leaves no file and no accounting on; one that is stopped tells what ran until then", async () => {
  const fields = { instructions: "sed -i s/Math.floor/Math.round/ src/money.js; sleep 100" };
  const id = await host.send(host.repository(), fields);
  await host.seen(id, "sandbox.started");
  const [file] = await until("the kernel's file", () => (files().length > 0 ? files() : undefined));
  // Out of everybody's reach but root's.
  expect(statSync(file as string).mode & 0o777).toBe(0o600);
  await host.kill();
  await until("nothing left", () => leftovers(host.directory).length === 0 && files().length === 0, 20);
  await host.up();
  const begun = () => host.entries(id).filter((entry) => entry.type === "sandbox.started").length;
  await until("the next attempt", () => begun() === 2, 60);
  expect((await host.api("POST", `/v1/delegations/${id}/stop`, {})).status).toBe(200);
  const [after] = await until("what ran", () => (told(id).length > 0 ? told(id) : undefined), 60);
  expect(after?.data).toMatchObject({ whole: true });
  // Whatever was running when it was ended.
  expect(after?.data.processes.some(({ signal }) => signal === 9)).toBe(true);
  await until("no file", () => files().length === 0);
}, 240_000);
