// Runs every test of this folder in one process. Ends with 1 where one fails, and where there was none to run.
import { readdirSync } from "node:fs";

const tests = [];
globalThis.test = (name, work) => tests.push({ name, work });

for (const file of readdirSync(import.meta.dirname).sort()) if (file.endsWith(".test.mjs")) await import(`./${file}`);
let failed = 0;
for (const { name, work } of tests) {
  try {
    await work();
    console.log(`ok   ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL ${name}\n     ${error.message.split("\n").join("\n     ")}`);
  }
}
console.log(`${tests.length} tests, ${failed} failed`);
process.exit(failed > 0 || tests.length === 0 ? 1 : 0);
