import { execFileSync } from "node:child_process";
const asked = {
  separator: ['[write(read("a;b\\n1,5;2\\n", { separator: ";" }), { separator: ";" }), write(read("a,b\\n1,2\\n"))]', '["a;b\\n1,5;2\\n","a,b\\n1,2\\n"]'],
  quoted: ['[write({ columns: ["a"], rows: [[" x"], ["x\\r"], ["x;y"]] }), write({ columns: ["a"], rows: [["x;y"], ["x,y"]] }, { separator: ";" })]', '["a\\n\\" x\\"\\n\\"x\\r\\"\\nx;y\\n","a\\n\\"x;y\\"\\nx,y\\n"]'],
  edges: ['[write({ columns: ["a", "b"], rows: [[null, undefined]] }), ["", "ab"].map((separator) => { try { return read("a", { separator }); } catch (e) { return e.name; } })]', '["a,b\\n,\\n",["RangeError","RangeError"]]'],
}[process.argv[2]];
const code = `import { read, write } from "/workspace/src/table.mjs"; process.stdout.write(JSON.stringify(${asked[0]}));`;
const answer = execFileSync(process.execPath, ["--input-type=module", "-e", code], { encoding: "utf8", timeout: 10_000 });
process.exit(answer === asked[1] ? 0 : 1);
