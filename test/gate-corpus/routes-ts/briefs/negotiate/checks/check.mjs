import { execFileSync } from "node:child_process";
const asked = {
  quality: ['[choose("text/html;q=0.5, application/json", o), choose("*/*", o), choose("image/png", o) ?? null]', '["application/json","text/html",null]'],
  specific: ['[choose("text/*;q=0.3, text/html;q=0.1, text/plain", ["text/html", "text/plain"]), choose("*/*, text/html;q=0", o)]', '["text/plain","application/json"]'],
}[process.argv[2]];
const code = `import { choose } from "/workspace/src/index.ts";
const o = ["text/html", "application/json"];
process.stdout.write(JSON.stringify(${asked[0]}));`;
const answer = execFileSync(process.execPath, ["--input-type=module", "-e", code], { encoding: "utf8", timeout: 10_000 });
process.exit(answer === asked[1] ? 0 : 1);
