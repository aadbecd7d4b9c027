/** What the host says to its operator holds no value that the gateway knows, wherever in a line it was quoted. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { houseSecrets } from "../../src/host/house-secrets.ts";
import { openLog } from "../../src/host/log.ts";
import { secretCanary } from "../canary/canaries.ts";
import { type SecretRig, startSecretRig } from "../gateway/secret-rig.ts";
import { policyWith } from "../policy/arbitraries.ts";

const value = secretCanary("log", '/+="&');
let rig: SecretRig;
beforeAll(async () => {
  rig = await startSecretRig();
});
afterAll(() => rig?.[Symbol.asyncDispose]());

const opened = () => {
  const lines: string[] = [];
  return { ...openLog({ write: (line) => lines.push(line) }), lines };
};
const policy = (from: string) => ({
  ...policyWith([{ host: "a.example", scheme: "https", secret: "key" }]),
  secrets: { key: { from, header: "x-key" } },
});

test("a value in a message, an error, its cause, a field or the gateway's words is masked; lines keep their order", async () => {
  const { log, maskWith, written, lines } = opened();
  const secrets = houseSecrets(() => rig.gateway);
  maskWith(secrets);
  log.info("before anything is known");
  expect(lines).toHaveLength(1);
  await secrets.hold("d-log", policy(rig.file("key", value)));
  log.error({ err: new Error(`boom ${value}`, { cause: new Error(`because ${value}`) }) }, "failed");
  log.warn({ from: "gateway", text: `Uncaught ${Buffer.from(`x${value}`).toString("base64")}` });
  log.error(new Error(value));
  log.info({ reason: encodeURIComponent(value) }, `it was ${value}`);
  for (let turn = 0; turn < 50; turn++) log.info({ turn }, "in order");
  await written();
  expect(lines).toHaveLength(55);
  const text = lines.join("");
  for (const form of [value, JSON.stringify(value).slice(1, -1), encodeURIComponent(value)])
    expect(text).not.toContain(form);
  expect(await rig.gateway.contains(Buffer.from(text))).toEqual([]);
  const said = lines.map((line) => JSON.parse(line) as { msg?: string; turn?: number; reason?: string });
  expect(said[1]).toMatchObject({ msg: "failed", err: { message: "boom [secret:key]: because [secret:key]" } });
  expect(said[4]).toMatchObject({ msg: "it was [secret:key]", reason: "[secret:key]" });
  expect(said.slice(5).map(({ turn }) => turn)).toEqual(Array.from({ length: 50 }, (_, turn) => turn));
  expect(lines.every((line) => line.endsWith("}\n"))).toBe(true);
});

test("where nobody can mask, what happened stays told and what was quoted does not", async () => {
  const { log, maskWith, unmasked, written, lines } = opened();
  maskWith({ known: () => true, mask: () => Promise.reject(new Error(`not now, ${value}`)) });
  log.error({ delegation: "d-1", err: new Error(`boom ${value}`) }, "delegation ended by a fault");
  log.error(new Error(value));
  await written();
  unmasked();
  log.warn({ text: value }, "daemon is ending");
  await written();
  expect(lines.map((line) => JSON.parse(line) as object)).toMatchObject([
    { delegation: "d-1", msg: "delegation ended by a fault", withheld: expect.any(String) },
    { withheld: expect.any(String) },
    { msg: "daemon is ending" },
  ]);
  expect(lines.join("")).not.toContain("canary");
});
