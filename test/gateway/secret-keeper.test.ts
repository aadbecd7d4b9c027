/** Who holds values: the keeper answers the gateway for allowed references alone, and the daemon is not in the path. */
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startGateway } from "../../src/gateway/process.ts";
import { secretCanary } from "../canary/canaries.ts";
import { startSecretRig } from "./secret-rig.ts";

const value = secretCanary("keeper");

test("a held secret is known at the gateway, which masks it and says where it is, and gives no value", async () => {
  await using rig = await startSecretRig();
  const from = rig.file("key", `${value}\n`);
  await rig.gateway.holdSecrets("d-one", { key: { from, header: "x-api-key" } });
  expect(await rig.gateway.mask(`a ${value} and ${Buffer.from(`x${value}y`).toString("base64")}`)).not.toContain(value);
  expect(await rig.gateway.mask(`a ${value} b`)).toBe("a [secret:key] b");
  expect(await rig.gateway.contains(Buffer.from(`…${Buffer.from(value).toString("hex")}…`))).toEqual(["key"]);
  expect(await rig.gateway.contains(Buffer.from("nothing here"))).toEqual([]);
});

test("the gateway is unprivileged and the keeper alone is root", async () => {
  await using rig = await startSecretRig();
  const uidOf = (pid: number) => /^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  expect(uidOf(rig.gateway.pid)).toBe("10002");
  expect(uidOf(rig.keeper.pid)).toBe("0");
  expect(readFileSync(`/proc/${rig.keeper.pid}/limits`, "utf8")).toMatch(/Max core file size\s+0\s/);
});

test("another gateway of the same keeper knows what the first one knew, replaced and gone values too, and may use none", async () => {
  await using rig = await startSecretRig();
  const from = rig.file("key", value);
  await rig.gateway.holdSecrets("d-one", { key: { from, header: "x-api-key" } });
  rig.gateway.releaseSecrets("d-one");
  rmSync(from.slice("file:".length));
  process.kill(rig.gateway.pid, "SIGKILL");
  const second = await startGateway({
    directory: join(rig.directory, "second"),
    uid: 10002,
    gid: 10002,
    keeper: rig.keeper,
    onRequest: () => undefined,
    onVerb: async () => ({ status: 200, body: { ok: true } }),
    onExit: () => undefined,
  });
  try {
    expect(await second.mask(`a ${value} b`)).toBe("a [secret:key] b");
    expect(await second.contains(Buffer.from(value))).toEqual(["key"]);
    expect(await second.mask("nothing here")).toBe("nothing here");
    await expect(second.holdSecrets("d-two", { key: { from, header: "x-api-key" } })).rejects.toMatchObject({
      code: "secret-unavailable",
    });
  } finally {
    await second.stop();
  }
});
