import { execFileSync } from "node:child_process";
const code = `import { read, sortBy } from "/workspace/src/table.mjs";
process.stdout.write(sortBy(read("a,b\\n10,x\\n9,y\\n10,z\\n"), "a").rows.map((row) => row[1]).join(""));`;
const answer = execFileSync(process.execPath, ["--input-type=module", "-e", code], { encoding: "utf8", timeout: 10_000 });
process.exit(answer === "xzy" ? 0 : 1);
