// The scripted verifier: runs the intent of /case/question.json with /bin/sh, `verdict` on its PATH.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

if (process.argv[2] === "--check") process.exit(0);
const { intent } = JSON.parse(readFileSync("/case/question.json", "utf8"));
const { status } = spawnSync("/bin/sh", ["-c", intent], {
  stdio: "inherit",
  env: { ...process.env, PATH: `/opt/verifier:${process.env.PATH}` },
});
process.exitCode = status ?? 1;
