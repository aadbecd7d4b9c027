import { test } from "vitest";
import { readdirSync } from "node:fs";
import { accepted, bench, commit, stage } from "/work/main/test/worktree/fixture.ts";
test("bench", async () => {
  const b = await bench();
  try {
    await commit(b.repo, "for d in $(seq 1000); do mkdir -p p$((d%10))/d$d; for f in $(seq 50); do echo $d $f > p$((d%10))/d$d/f$f; done; done; printf 'node_modules/\\n' > .gitignore");
    let t = Date.now(); const lap = (what: string) => { console.log(what, Date.now() - t, "ms"); t = Date.now(); };
    const s = await stage(b); lap("base 50k files");
    const fds = () => readdirSync("/proc/self/fd").length; const f0 = fds();
    accepted(await s.attempt("true")); lap("empty attempt");
    accepted(await s.attempt("for d in $(seq 500); do echo x > p$((d%10))/d$d/new; done")); lap("500 changes (with sh)");
    const big = await s.attempt("mkdir -p node_modules/a; for i in $(seq 20000); do : > node_modules/a/f$i; done", { inodes: 30000, bytes: 256 << 20 }); lap("20k ignored (with sh)");
    console.log(accepted(big).ignored, "fds", f0, fds());
  } finally { await b.clean(); }
}, 300000);
