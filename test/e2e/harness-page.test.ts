/** docs/harnesses.md, done from top to bottom: a block with a name is a file, a console block is what is typed. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Delegation } from "../../src/domain/delegation.ts";
import { harnessFile } from "../../src/domain/harness.ts";
import { parseDocument } from "../../src/policy/document.ts";
import { listHarnesses, loadHarness } from "../../src/sandbox/images/harness.ts";
import { type Model, startModel } from "../model/start-model.ts";
import { root, run } from "./cli.ts";
import { openHost, type TestHost } from "./daemon.ts";
import { library, makeRepository } from "./repository.ts";

const page = readFileSync(join(root, "docs/harnesses.md"), "utf8");
const blocks = [...page.matchAll(/^```(\w+)(?: (\S+))?\n([\s\S]*?)^```$/gm)].map(([, kind, name, text = ""]) => ({
  kind,
  name,
  text,
}));
const commands = blocks
  .filter(({ kind }) => kind === "console")
  .flatMap(({ text }) => [...text.matchAll(/^\$ sallyport (.*)$/gm)].map(([, command = ""]) => command));

let directory: string;
let host: TestHost;
let model: Model;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "harness-page-"));
  for (const { name, text } of blocks) {
    if (name === undefined) continue;
    mkdirSync(dirname(join(directory, name)), { recursive: true });
    writeFileSync(join(directory, name), text);
  }
  const text = (library["src/money.js"] as string).replace("Math.floor", "Math.round");
  model = await startModel({ script: [{ text: JSON.stringify({ path: "src/money.js", text }) }] });
  host = await openHost({
    harnesses: join(directory, "images"),
    env: { OPENAI_API_KEY: "key-of-the-page-0123456789" },
  });
}, 900_000);
afterAll(async () => {
  try {
    await host?.close();
  } finally {
    await model?.close();
    rmSync(directory, { recursive: true, force: true });
  }
});

it("adds a harness by its steps, and hires it", async () => {
  expect(commands.map((line) => line.split(" ").slice(0, 2).join(" "))).toEqual([
    "image build",
    "image audit",
    "policy check",
    "delegate brief.yaml",
  ]);
  // The provider of the page is the stand-in here; all else is as it stands there.
  const policy = readFileSync(join(directory, "policies/tiny.yaml"), "utf8");
  const local = policy.replace('base: "https://api.openai.com"', `base: "${model.url}", addresses: ["127.0.0.1"]`);
  expect(local).not.toBe(policy);
  writeFileSync(join(host.state, "policies/tiny.yaml"), local);
  const repository = makeRepository(join(host.directory, "r/money.git"), library, { bare: true });

  let last = "";
  for (const line of commands) {
    const words = line.replace("/srv/git/money.git", repository.path).split(" ");
    const said = await run([...words, "--json"], {
      cwd: directory,
      env: { SALLYPORT_STATE: host.state, SALLYPORT_IMAGES: join(host.directory, "images") },
      seconds: 150,
    });
    expect(said.code, `${line}\n${said.stdout}\n${said.stderr}`).toBe(0);
    last = said.stdout;
  }
  const d = JSON.parse(last) as Delegation;
  expect([d.state, d.brief.executor, d.policy.verifier.harness]).toEqual(["approved", "tiny", "skeptic-rules"]);
  expect(JSON.parse(readFileSync(join(directory, "tiny.cdx.json"), "utf8")).specVersion).toBe("1.6");
  expect(model.requests.map((r) => r.headers.authorization)).toEqual(["Bearer key-of-the-page-0123456789"]);
  // The image's own folder is read by its schema: the page cannot drift from it.
  const file = join(directory, "images/tiny/harness.yaml");
  expect(parseDocument(readFileSync(file, "utf8"), file, harnessFile, "harness-invalid").name).toBe("tiny");
}, 300_000);

it("has every image in its table, with its version, protocol and route", async () => {
  const rows = new Map(
    [...page.matchAll(/^\| `([a-z-]+)` \|(.*)\|$/gm)].map(([, name = "", rest = ""]) => [
      name,
      rest.split("|").map((cell) => cell.trim().replaceAll("`", "")),
    ]),
  );
  const names = await listHarnesses(join(root, "images"));
  expect([...rows.keys()].sort()).toEqual(names);
  for (const name of names) {
    const harness = await loadHarness(name, join(root, "images"));
    const [roles, pinned = "", , protocol, route] = rows.get(name) ?? [];
    expect(roles, name).toBe(harness.roles.join(", "));
    if (harness.package) expect(pinned, name).toBe(`${harness.package.name} ${harness.package.version}`);
    expect([protocol, route], name).toEqual([harness.model?.protocol ?? "", harness.model?.route ?? ""]);
    if (harness.package && name !== "base") {
      const { dependencies } = JSON.parse(readFileSync(join(root, "images", name, "package.json"), "utf8"));
      expect(dependencies, name).toEqual({ [harness.package.name]: harness.package.version });
    }
  }
});
