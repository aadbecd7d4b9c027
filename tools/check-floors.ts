/**
 * The import laws, checked: arrows run down the floors, each library has one folder, no cycles. Fails on a broken law
 * and on a check that saw nothing (a parser that does not understand the sources finds no arrows and would pass).
 * Usage: node tools/check-floors.ts [DIRECTORY], the directory that holds `src/`.
 */
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

interface Report {
  summary: {
    totalCruised: number;
    totalDependenciesCruised: number;
    violations: { from: string; to: string; rule: { name: string; severity: string } }[];
  };
}

const house = join(import.meta.dirname, "..");
const directory = process.argv[2] ?? house;
const command = join(house, "node_modules/dependency-cruiser/bin/dependency-cruiser.mjs");

let output: string;
try {
  output = execFileSync(process.execPath, [command, "--config", join(house, ".dependency-cruiser.cjs"), "--output-type", "json", "src"], {
    cwd: directory,
    encoding: "utf8",
    maxBuffer: 256 * 1024 * 1024,
    stdio: ["ignore", "pipe", "inherit"],
  });
} catch (error) {
  // It exits with the number of broken laws, and still prints its report.
  output = String((error as { stdout?: string }).stdout ?? "");
  if (!output) throw error;
}
const { summary } = JSON.parse(output) as Report;
const sources = (readdirSync(join(directory, "src"), { recursive: true }) as string[]).filter((file) => /\.tsx?$/.test(file));

for (const { from, to, rule } of summary.violations) console.error(`${rule.name}: ${from} → ${to}`);
if (summary.totalCruised < sources.length || summary.totalDependenciesCruised === 0) {
  console.error(`only ${summary.totalCruised} modules with ${summary.totalDependenciesCruised} imports were seen of ${sources.length} files: the laws were not checked`);
  process.exit(1);
}
if (!existsSync(join(directory, "src")) || summary.violations.length > 0) process.exit(1);
console.log(`import laws hold: ${sources.length} files, ${summary.totalDependenciesCruised} imports`);
