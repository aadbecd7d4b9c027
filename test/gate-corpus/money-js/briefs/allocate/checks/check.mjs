// The code under test runs in a process of its own, and only what it answers counts.
import { execFileSync } from "node:child_process";
const asked = {
  sums: ["[allocate(100, [1, 1, 1]), allocate(7, [3, 2])]", "[[34,33,33],[4,3]]"],
  remainders: ["[allocate(100, [1, 5]), allocate(10, [1, 1, 1, 1]), allocate(-10, [1, 2])]", "[[17,83],[3,3,2,2],[-3,-7]]"],
  refusals: ["[[], [0, 0], [1, -1]].map((w) => { try { return allocate(1, w); } catch (e) { return e.name; } })", '["RangeError","RangeError","RangeError"]'],
}[process.argv[2]];
const code = `import { allocate } from "/workspace/src/index.mjs"; process.stdout.write(JSON.stringify(${asked[0]}));`;
const answer = execFileSync(process.execPath, ["--input-type=module", "-e", code], { encoding: "utf8", timeout: 10_000 });
process.exit(answer === asked[1] ? 0 : 1);
