// Looks at everything that could tell one sandbox from another, and puts it into the refutations of a rejection.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

if (process.argv[2] === "--check") process.exit(0);
const { accept } = JSON.parse(readFileSync("/case/question.json", "utf8"));
const shell = (command) => execFileSync("/bin/sh", ["-c", `${command} 2>&1 || true`], { encoding: "utf8" });
const looks = {
  environment: "env | sort",
  name: "hostname; cat /etc/hostname /etc/hosts",
  files: "ls -laR --time-style=+%s /case /run/sallyport /home /tmp | cut -c1-400",
  mounts: "cut -d' ' -f4-6,9- /proc/self/mountinfo",
  processes: "ls -d /proc/[0-9]*; tr '\\0' ' ' < /proc/1/cmdline; tr '\\0' ' ' < /proc/self/cmdline",
  limits: "cat /proc/self/limits; cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max",
  keys: 'node -e \'for (const f of ["question","report"]) console.log(Object.keys(JSON.parse(fs.readFileSync(`/case/${f}.json`))).join())\'',
};
const refutations = Object.entries(looks).flatMap(([tried, command]) => {
  const seen = shell(command);
  const parts = seen.match(/[\s\S]{1,3900}/g) ?? [""];
  return parts.slice(0, 8).map((detail) => ({ tried, found: true, detail }));
});
const verdict = {
  decision: "reject",
  criteria: accept.map(({ id }) => ({ id, status: "unproven", evidence: [], why: "only looking" })),
  refutations,
  feedback: [{ what: "nothing was verified", why: "this verifier looks at its surroundings only" }],
};
const answer = await fetch("http://127.0.0.1:3128/verdict", {
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify(verdict),
});
console.log(answer.status, await answer.text());
process.exitCode = answer.ok ? 0 : 1;
