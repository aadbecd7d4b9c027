import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { configJsonSchema } from "../../src/domain/config.ts";
import { configWarnings } from "../../src/host/check-config.ts";
import { readConfig } from "../../src/host/config.ts";
import { run } from "../e2e/cli.ts";

const house = join(import.meta.dirname, "../..");
const directory = mkdtempSync(join(tmpdir(), "sp-config-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const written = (text: string): string => {
  const file = join(directory, "config.yaml");
  writeFileSync(file, text);
  return file;
};

it("packaging/config.schema.json is the schema that configurations are checked with", () => {
  const kept = readFileSync(join(house, "packaging/config.schema.json"), "utf8");
  expect(kept, "run: bin/sallyport config schema > packaging/config.schema.json").toBe(
    `${JSON.stringify(configJsonSchema(), null, 2)}\n`,
  );
});

it("the shipped example is valid, and warns of nothing", async () => {
  const config = await readConfig(join(house, "packaging/config.yaml"));
  expect(await configWarnings(config)).toEqual([]);
  expect(config).toMatchObject({ drain: 600_000, retention: { proposals: 30 * 86_400_000 } });
});

it("every problem is named at its line and column, with the key that was meant", async () => {
  const file = written(
    "version: 1\nlane: 3\nplanners:\n  default:\n    repositories: [srv]\nretention: { trees: soon }\n",
  );
  const said = await run(["config", "check", file, "--json"]);
  expect(said.code).toBe(2);
  const { code, message } = said.error();
  expect(code).toBe("config-invalid");
  expect(message).toMatch(/config\.yaml:2:1 .*`lane`.*`lanes`/);
  expect(message).toMatch(/config\.yaml:5:\d+ /);
  expect(message).toMatch(/config\.yaml:6:\d+ .*soon/);
});

it("sockets are of groups and planners that there are", async () => {
  const socket = (more: string) =>
    written(
      `version: 1\nplanners: { ci: { repositories: [/srv/git/a], refs: [refs/heads/main] } }\nsockets: [{ path: ${directory}/x.sock, role: planner, ${more} }]\n`,
    );
  const told = async (more: string) => {
    const said = await run(["config", "check", socket(more), "--json"]);
    return said.code === 0 ? "valid" : said.error().code;
  };
  expect(await told("planner: ci, group: root")).toBe("valid");
  expect(await told("planner: ci, group: nobody-has-this-group")).toBe("config-invalid");
  expect(await told("planner: cd, group: root")).toBe("config-invalid");
});

it("check, show and schema, on a file and on a state directory that has none", async () => {
  const file = written("version: 1\npolicies: [/no/such/place]\nplanners: { ci: { refs: [refs/heads/main] } }\n");
  const checked = await run(["config", "check", file]);
  expect(checked.code).toBe(0);
  expect(checked.stdout).toMatch(/config\.yaml:2:\d+ \/no\/such\/place is not a directory/);
  expect(checked.stdout).toMatch(/branches and no repository/);
  expect((await run(["config", "show", file])).json()).toMatchObject({
    lanes: 2,
    planners: { ci: { repositories: [] } },
  });
  expect((await run(["config", "show", "--state", join(directory, "none")])).json()).toMatchObject({ planners: {} });
  expect((await run(["config", "check", join(directory, "none.yaml"), "--json"])).error().code).toBe("config-invalid");
});
