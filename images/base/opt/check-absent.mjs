// The planner's `absent` checks, in a sandbox of their own: the host names a file that holds
// `{root, changed, checks: [{id, absent, files}]}` and reads `[{id, ok, found, detail}]` from stdout. The host chose the files
// (it resolves the glob on its own tree) and bounds the time: a pattern of the planner's may be as slow as it likes.
import { closeSync, constants, openSync, readFileSync } from "node:fs";
import { join } from "node:path";

const mostFound = 20;

/** Where a pattern matches, at most 20 places, in the order of the files. A file that cannot be read fails the check. */
function search(root, changed, { id, absent, files }) {
  let pattern;
  try {
    pattern = new RegExp(absent, "u");
  } catch (error) {
    return { id, ok: false, found: [], detail: `not a regular expression: ${error.message}` };
  }
  const found = [];
  let count = 0;
  for (const path of files) {
    let text;
    try {
      text = readPlain(join(root, path));
    } catch (error) {
      // A link that the base already had hides nothing new; one that the proposal made could stand where the text was.
      if (error.code === "ELOOP" && !changed.has(path)) continue;
      return { id, ok: false, found, detail: `${JSON.stringify(path)} cannot be read: ${error.code ?? error.message}` };
    }
    for (const [index, line] of text.split(/\r\n|\n|\r/).entries()) {
      if (!pattern.test(line)) continue;
      count += 1;
      if (found.length < mostFound) found.push({ path, line: index + 1 });
    }
  }
  const detail = count === 0 ? `absent from ${files.length} files` : `${count} lines match`;
  return { id, ok: count === 0, found, detail };
}

function readPlain(file) {
  // A link in the tree under test points to where the executor likes; it is not the file that the host listed.
  const descriptor = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    return readFileSync(descriptor, "utf8");
  } finally {
    closeSync(descriptor);
  }
}

const { root, changed, checks } = JSON.parse(readFileSync(process.argv[2], "utf8"));
process.stdout.write(`${JSON.stringify(checks.map((check) => search(root, new Set(changed), check)))}\n`);
