// In a process of its own: code under test that ends early, or prints, shows nothing.
import { execFileSync } from "node:child_process";
const code = `import { divide } from "/workspace/src/index.mjs";
process.stdout.write(JSON.stringify([[5, 2], [7, 2], [15, 10], [25, 10], [26, 10], [24, 10], [7, 3]].map(([a, b]) => divide(a, b))));`;
const answer = execFileSync(process.execPath, ["--input-type=module", "-e", code], { encoding: "utf8", timeout: 10_000 });
process.exit(answer === "[2,4,2,2,3,2,2]" ? 0 : 1);
