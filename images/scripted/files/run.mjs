// The scripted executor: reads /brief/brief.json and runs this attempt's section of the instructions with /bin/sh in
// the workspace, each command echoed before it runs. It ends as the script ends.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { scriptFor } from "./sections.mjs";

const briefFile = process.env.SALLYPORT_BRIEF ?? "/brief/brief.json";

if (process.argv[2] === "--check") {
  process.exit(scriptFor("a\n#!attempt 1\nb\n", 1) === "a\nb\n\n" ? 0 : 1);
}

const brief = JSON.parse(readFileSync(briefFile, "utf8"));
const script = join(mkdtempSync(join(tmpdir(), "scripted-")), "script.sh");
writeFileSync(script, scriptFor(brief.instructions, brief.attempt ?? 1));
process.stdout.write(`scripted: ${brief.title}: attempt ${brief.attempt ?? 1} of ${brief.attempts ?? 1}\n`);

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
