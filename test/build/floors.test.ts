import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";

const house = join(import.meta.dirname, "../..");
let copy: string;

beforeAll(async () => {
  copy = await mkdtemp(join(tmpdir(), "sallyport-floors-"));
  await cp(join(house, "src"), join(copy, "src"), { recursive: true });
  for (const name of ["node_modules", "package.json", "tsconfig.json"])
    await symlink(join(house, name), join(copy, name));
});
afterAll(() => rm(copy, { recursive: true, force: true }));

function check(): Promise<{ code: number; text: string }> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [join(house, "tools/check-floors.ts"), copy],
      { timeout: 60_000 },
      (error, stdout, stderr) => resolve({ code: error ? Number(error.code ?? 1) : 0, text: stdout + stderr }),
    );
  });
}

async function planted(file: string, content: string): Promise<{ code: number; text: string }> {
  await mkdir(join(copy, file, ".."), { recursive: true });
  await writeFile(join(copy, file), content);
  try {
    return await check();
  } finally {
    await rm(join(copy, file));
  }
}

it("passes on the house as it is", async () => {
  const { code, text } = await check();
  expect(text).toMatch(/import laws hold: \d+ files/);
  expect(code).toBe(0);
});

it.each([
  ["a back-arrow", "src/policy/planted.ts", 'import "../host/daemon.ts";\n', "floor-1-policy-imports-downwards"],
  [
    "a type-only back-arrow",
    "src/ledger/planted.ts",
    'import type { Host } from "../host/daemon.ts";\nexport type X = Host;\n',
    "floor-1-ledger-imports-downwards",
  ],
  [
    "an arrow between folders of one floor",
    "src/gateway/planted.ts",
    'import "../worktree/names.ts";\n',
    "floor-2-gateway-imports-downwards",
  ],
  [
    "a page that takes more than types from the house",
    "src/console/view/planted.tsx",
    'import { digestValue } from "../../gate/digest.ts";\nexport const x = digestValue;\n',
    "pages-know-types-only",
  ],
  [
    "a page that loads a library of the host's",
    "src/console/app/planted.tsx",
    'import { z } from "zod";\nexport const x = z;\n',
    "pages-have-one-library",
  ],
  [
    "a host that loads a page",
    "src/console/planted.ts",
    'import { shown } from "./view/shown.ts";\nexport const x = shown;\n',
    "pages-stay-in-the-bundle",
  ],
  ["a library outside its folder", "src/gate/planted.ts", 'import "dockerode";\n', "dockerode-only-in-sandbox"],
])("goes red for %s", async (_what, file, content, law) => {
  const { code, text } = await planted(file, content);
  expect(text).toContain(law);
  expect(code).not.toBe(0);
});
