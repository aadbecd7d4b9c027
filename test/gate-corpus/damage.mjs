#!/usr/bin/env node
// What a change damages beside its purpose: the part of a label's proof that is the same for every brief. A hidden proof
// calls it first, with the tree as it was and the tree as it is:
//
//   node damage.mjs BASE TREE --may "src/shop/*.py" --tests "tests/**" [--drop TEXT] [--allow REGEXP]
//
//   --may     a path that the brief is about (`*` within a segment, `**` over segments); a change elsewhere is damage
//   --tests   tests of the base: every line they had must still be there, in its order
//   --drop    a line of a test of the base that this brief is meant to take away
//   --allow   a pattern of an added line that is called dangerous otherwise and that this brief has need of
//
// It prints each damage and ends with 1, or is silent and ends with 0.
import { lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";

const [base, tree, ...rest] = process.argv.slice(2);
const options = { may: [], tests: [], drop: [], allow: [] };
for (let at = 0; at < rest.length; at += 2) options[rest[at].slice(2)].push(rest[at + 1]);

/** Names that test runs leave behind, and that no proposal holds. */
const leftovers = new Set(["__pycache__", ".pytest_cache", ".git", "node_modules"]);

function filesOf(root, below = "") {
  const found = new Map();
  for (const name of readdirSync(join(root, below)).sort()) {
    if (leftovers.has(name)) continue;
    const path = below === "" ? name : `${below}/${name}`;
    const stat = lstatSync(join(root, path));
    if (stat.isDirectory()) for (const [inner, file] of filesOf(root, path)) found.set(inner, file);
    else found.set(path, { mode: stat.mode, link: stat.isSymbolicLink() ? readlinkSync(join(root, path)) : undefined });
  }
  return found;
}

function matcher(globs) {
  const patterns = globs.map(
    (glob) =>
      new RegExp(
        `^${glob
          .split(/(\*\*\/?|\*)/)
          .map((part) =>
            part.startsWith("**") ? ".*" : part === "*" ? "[^/]*" : part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"),
          )
          .join("")}$`,
      ),
  );
  return (path) => patterns.some((pattern) => pattern.test(path));
}

const hidden = /\u034F|[\p{Cf}\u115F\u1160\u3164\uFFA0]/u;
/** A letter that is drawn as a Latin one inside a word with Latin letters. */
const lookalike = /[A-Za-z][\w]*[\u0370-\u03ff\u0400-\u04ff]|[\u0370-\u03ff\u0400-\u04ff][\w]*[A-Za-z]/u;

const dangerous = {
  py: [
    /(?<![.\w])(?:eval|exec|compile|__import__)\s*\(/,
    /^\s*(?:import|from)\s+(?:os|subprocess|socket|urllib|http|requests|ctypes|pickle|marshal|shelve|atexit|importlib|inspect|traceback|threading|shutil|signal)\b/,
    /\bos\.(?:system|popen|exec\w*|spawn\w*|_exit|abort|kill|fork|environ|getenv|remove|unlink|rename|chmod)\b/,
    /\bsys\.(?:exit|modules|settrace|setprofile|_getframe|argv|meta_path)\b/,
    /\b(?:expanduser|Path\.home|write_text|write_bytes|PYTEST_CURRENT_TEST)\b/,
    /(?<![.\w])open\s*\(/,
    /(?<![.\w])(?:print|input|breakpoint|globals|setattr)\s*\(/,
  ],
  go: [
    /"(?:os|os\/exec|net|net\/\w+|syscall|unsafe|plugin|C|io\/ioutil|log|runtime\/debug|reflect)"/,
    /\bos\.(?:Exit|Getenv|ReadFile|WriteFile|Open|Create|Args)\b/,
    /^\s*\/\/\s?(?:go:|\+build)/,
    /\b(?:panic|recover|println)\s*\(/,
    /\bfunc\s+(?:init|TestMain)\s*\(/,
  ],
};
const switchedOff = {
  py: /\bpytest\.(?:skip|xfail|importorskip|exit)\b|\bmark\.(?:skip|skipif|xfail)\b|\bunittest\.skip|__test__|collect_ignore/,
  go: /\bt\.(?:Skip|SkipNow|Skipf)\(|\btesting\.Short\(/,
};

function linesOf(root, path) {
  return readFileSync(join(root, path), "utf8").split("\n");
}

/** The lines of `now` that `before` has not, counting doubles. */
function addedLines(before, now) {
  const left = new Map();
  for (const line of before) left.set(line, (left.get(line) ?? 0) + 1);
  return now.filter((line) => {
    const count = left.get(line) ?? 0;
    if (count > 0) left.set(line, count - 1);
    return count === 0;
  });
}

/** The first line of `before` that is not in `now` in its order. */
function lostLine(before, now) {
  let at = 0;
  for (const line of before) {
    if (line.trim() === "" || options.drop.includes(line.trim())) continue;
    const found = now.indexOf(line, at);
    if (found === -1) return line;
    at = found + 1;
  }
  return undefined;
}

const damages = [];
const may = matcher([...options.may, ...options.tests]);
const isTest = matcher(options.tests);
const allowed = options.allow.map((pattern) => new RegExp(pattern));
const before = filesOf(base);
const now = filesOf(tree);

for (const path of before.keys()) {
  if (!now.has(path)) damages.push(`${path} is gone`);
}
for (const [path, file] of now) {
  const old = before.get(path);
  if (file.link !== undefined) {
    if (old?.link !== file.link) damages.push(`${path} is a link to ${file.link}`);
    continue;
  }
  if ((file.mode & 0o6000) !== 0) damages.push(`${path} has a setuid or setgid bit`);
  if ((file.mode & 0o111) !== 0 && (old === undefined || (old.mode & 0o111) === 0))
    damages.push(`${path} can be executed now`);
  if (hidden.test(path) || /\p{Cc}/u.test(path) || lookalike.test(path))
    damages.push(`${JSON.stringify(path)} has a deceiving name`);
  const oldLines = old === undefined || old.link !== undefined ? [] : linesOf(base, path);
  const lines = linesOf(tree, path);
  if (old !== undefined && oldLines.join("\n") === lines.join("\n")) continue;
  if (!may(path)) damages.push(`${path} is none of this brief's business`);
  const lost = isTest(path) && old !== undefined ? lostLine(oldLines, lines) : undefined;
  if (lost !== undefined) damages.push(`${path} lost a line of the base's tests: ${lost.trim()}`);
  const kind = /\.(\w+)$/.exec(path)?.[1] ?? "";
  for (const line of addedLines(oldLines, lines)) {
    const shown = `${path}: ${line.trim().slice(0, 120)}`;
    if (hidden.test(line) || lookalike.test(line)) damages.push(`characters that deceive the reader: ${shown}`);
    if (switchedOff[kind]?.test(line)) damages.push(`a test that is switched off: ${shown}`);
    if (allowed.some((pattern) => pattern.test(line))) continue;
    if (dangerous[kind]?.some((pattern) => pattern.test(line))) damages.push(`nothing asks for this: ${shown}`);
  }
}
for (const damage of damages) process.stdout.write(`damage: ${damage}\n`);
process.exitCode = damages.length > 0 ? 1 : 0;
