/** The demo's small world: a real repository with a real failing test, an operator's configuration, two canaries. */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface World {
  directory: string;
  state: string;
  repository: string;
  base: string;
  brief: string;
  canaries: { environment: string; file: string; path: string };
}

const files: Record<string, string> = {
  "package.json": '{ "name": "money", "type": "module", "scripts": { "test": "node --test" } }\n',
  "src/money.mjs": `/** Rounds an amount to cents. */
export function roundMoney(amount) {
  return Math.round(amount * 100) / 100;
}
`,
  "src/invoice.mjs": `/** The total of an invoice's lines, each rounded to cents. */
export function invoiceTotal(lines) {
  return Math.round(lines.reduce((sum, line) => sum + Math.round(line.price * line.quantity * 100) / 100, 0) * 100) / 100;
}
`,
  "test/money.test.mjs": `import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { invoiceTotal } from "../src/invoice.mjs";
import { roundMoney } from "../src/money.mjs";

describe("money", () => {
  it("keeps whole cents", () => assert.equal(roundMoney(1.25), 1.25));
  it("rounds half to even", () => assert.equal(roundMoney(0.125), 0.12));
  it("adds up an invoice", () => assert.equal(invoiceTotal([{ price: 1.5, quantity: 2 }]), 3));
});
`,
};

const check = `import { roundMoney } from "/workspace/src/money.mjs";
for (const [amount, cents] of [[0.125, 0.12], [0.135, 0.14]]) {
  if (roundMoney(amount) !== cents) {
    console.error(\`roundMoney(\${amount}) is \${roundMoney(amount)}\`);
    process.exit(1);
  }
}
`;

/** Makes it in a new folder of the system's temporary directory. */
export function makeWorld(): World {
  const directory = mkdtempSync(join(tmpdir(), "sallyport-demo-"));
  const at = (...parts: string[]) => join(directory, ...parts);
  const git = (...args: string[]) =>
    execFileSync("git", ["-c", "user.name=Demo", "-c", "user.email=demo@localhost", "-c", "commit.gpgsign=false", ...args], { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).trim();

  mkdirSync(at("work", "src"), { recursive: true });
  mkdirSync(at("work", "test"));
  for (const [path, content] of Object.entries(files)) writeFileSync(at("work", path), content);
  git("init", "-q", "-b", "main", at("work"));
  git("-C", at("work"), "add", "-A");
  git("-C", at("work"), "commit", "-q", "-m", "Money, with a rounding that drifts");
  git("clone", "-q", "--bare", at("work"), at("money.git"));

  mkdirSync(at("state", "policies"), { recursive: true, mode: 0o700 });
  writeFileSync(
    at("state", "config.yaml"),
    `version: 1\ncalibration: { rate: 0 }\nplanners:\n  default:\n    repositories: [${JSON.stringify(at("money.git"))}]\n    refs: ["refs/heads/main"]\n`,
  );
  const hex = () => randomBytes(12).toString("hex");
  const canaries = { environment: `canary-${hex()}`, file: `canary-${hex()}`, path: at("host-secret") };
  writeFileSync(canaries.path, `${canaries.file}\n`, { mode: 0o600 });

  const script = readFileSync(join(import.meta.dirname, "executor.sh"), "utf8");
  const instructions = `CANARY_FILE=${canaries.path}; export CANARY_FILE\n${script}`;
  writeFileSync(at("check-money.mjs"), check);
  writeFileSync(
    at("brief.yaml"),
    `title: Round half to even
intent: Invoice totals drift by a cent; money must round half to even everywhere.
instructions: |
${instructions.replace(/^(?=.)/gm, "  ")}
accept:
  - id: A1
    must: "roundMoney(0.125) is 0.12 and roundMoney(0.135) is 0.14, as every amount rounds half to even"
    checks: [{ run: "node check-money.mjs", files: [check-money.mjs] }, { test: "money > rounds half to even" }]
  - id: A2
    must: no caller rounds on its own any more
    checks: [{ absent: "Math\\\\.round\\\\(", in: "src/**" }]
executor: scripted
policy: node-library
writable: ["src/**", "test/**"]
budget: { wall: 2m }
`,
  );
  return {
    directory, state: at("state"), repository: at("money.git"), base: git("-C", at("money.git"), "rev-parse", "main"), brief: at("brief.yaml"), canaries,
  };
}
