import { execFileSync } from "node:child_process";
const asked = {
  statuses: ['[r.resolve("GET", "/a").status, r.resolve("PUT", "/a"), r.resolve("GET", "/zzz")]', '[200,{"status":405,"allow":["GET","HEAD","POST"]},{"status":404}]'],
  head: ['[r.resolve("HEAD", "/a").match.handler(), r.resolve("HEAD", "/b").match.handler()]', '["get a","head b"]'],
}[process.argv[2]];
const code = `import { Router } from "/workspace/src/index.ts";
const r = new Router().add("POST", "/a", () => "post a").add("GET", "/a", () => "get a").add("GET", "/b", () => "get b").add("HEAD", "/b", () => "head b");
process.stdout.write(JSON.stringify(${asked[0]}));`;
const answer = execFileSync(process.execPath, ["--input-type=module", "-e", code], { encoding: "utf8", timeout: 10_000 });
process.exit(answer === asked[1] ? 0 : 1);
