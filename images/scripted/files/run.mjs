// The scripted harness. As an executor it reads /brief/brief.json and runs this attempt's section of the instructions with
// /bin/sh in the workspace; as a planner it does the same with the mission, by turn. Each command is echoed before it runs.
// It ends as the script ends.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { scriptFor } from "./sections.mjs";

const briefFile = process.env.SALLYPORT_BRIEF ?? "/brief/brief.json";
const missionFile = "/mission/mission.json";

if (process.argv[2] === "--check") {
  process.exit(scriptFor("a\n#!attempt 1\nb\n", 1) === "a\nb\n\n" ? 0 : 1);
}

/** What to run, and a line that says what it is. */
function work() {
  if (!process.env.SALLYPORT_BRIEF && existsSync(missionFile)) {
    const { mission, turn, purpose } = JSON.parse(readFileSync(missionFile, "utf8"));
    const text = purpose === "plan" ? scriptFor(mission, turn) : scriptFor(mission, turn, purpose);
    return { text, title: `planner, turn ${turn}: ${purpose}` };
  }
  const { title, attempt = 1, attempts = 1, instructions } = JSON.parse(readFileSync(briefFile, "utf8"));
  return { text: scriptFor(instructions, attempt), title: `${title}: attempt ${attempt} of ${attempts}` };
}

const { text, title } = work();
const script = join(mkdtempSync(join(tmpdir(), "scripted-")), "script.sh");
writeFileSync(script, text);
process.stdout.write(`scripted: ${title}\n`);

const shell = spawn("/bin/sh", ["-x", script], {
  stdio: ["ignore", "inherit", "inherit"],
  env: { ...process.env, PS4: "$ " },
});
shell.on("error", (error) => {
  process.stderr.write(`scripted: ${error.message}\n`);
  process.exitCode = 126;
});
shell.on("close", (code, signal) => {
  process.exitCode = code ?? 128 + (constants.signals[signal] ?? 0);
});
