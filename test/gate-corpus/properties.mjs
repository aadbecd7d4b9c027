// What a good change leaves alone, whatever it is about: shared by the hidden tests of all briefs. It compares the result
// tree (the working directory) with the base ($BASE). From a shell: node $CORPUS/properties.mjs '{"allowed": ["src/"]}'
import { lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";

/** Entries of a tree by path: `{kind, text, mode}`. */
export function entries(directory) {
  const found = new Map();
  const visit = (path) => {
    for (const name of readdirSync(join(directory, path)).sort()) {
      const inner = path === "" ? name : `${path}/${name}`;
      const file = join(directory, inner);
      const stat = lstatSync(file);
      if (stat.isDirectory()) visit(inner);
      else if (stat.isSymbolicLink()) found.set(inner, { kind: "link", text: readlinkSync(file), mode: 0 });
      else found.set(inner, { kind: "file", text: readFileSync(file, "utf8"), mode: stat.mode & 0o7777 });
    }
  };
  visit("");
  return found;
}

const hidden = /[\u00AD\u061C\u180E\u200B-\u200F\u202A-\u202E\u2060-\u2069\uFEFF]|[\0-\x08\x0B\x0C\x0E-\x1F\x7F]/u;
const switchedOff =
  /\.(?:only|skip|todo)\s*\(|\{\s*(?:only|skip|todo)\s*:|\bx(?:it|describe|test)\s*\(|@pytest\.mark\.(?:skip|xfail)|\bpytest\.skip\(|@unittest\.skip|\bt\.Skip(?:Now|f)?\(/;
const assertion =
  /\b(?:assert|expect|check|is|equal|throws)\w*(?:\.\w+)*\s*\(|^\s*assert\s|\bt\.(?:Error|Errorf|Fatal|Fatalf)\(|\b(?:pytest|self)\.(?:raises|assert\w*)\(/;
const unsafe =
  /\beval\s*\(|\bnew\s+Function\b|\bFunction\s*\(|child_process|\bnode:(?:net|http|https|vm|worker_threads|dgram|tls)\b|\bfetch\s*\(|\bprocess\.(?:env|exit|kill|binding|argv)\b|\b(?:writeFile|appendFile|unlink|rm)(?:Sync)?\s*\(|\bos\.(?:system|popen|environ|_exit)\b|\bsubprocess\b|\b__import__\b|(?<![.\w])exec\s*\(|\bpickle\b|\bsocket\b|"(?:os\/exec|net|net\/http|unsafe|syscall)"|\bos\.(?:Getenv|Exit|WriteFile)\b|globalThis|\b(?:Object|Array|String|Number)\.prototype\b/;

/**
 * What is wrong with the change as a change, one line each. `allowed`: beginnings of the paths that it may touch.
 * `mayDrop`: beginnings of paths whose assertions it may change. `unsafe: false` leaves out the search for dangerous calls.
 * `tests`: beginnings of the paths of tests.
 */
export function problems({ allowed, tests = ["test/"], mayDrop = [], unsafe: looksForUnsafe = true }) {
  const base = entries(process.env.BASE);
  const now = entries(process.cwd());
  const found = [];
  const begins = (path, list) => list.some((start) => path === start || path.startsWith(start));
  const folded = new Map();
  for (const path of now.keys()) {
    const same = folded.get(path.toLowerCase());
    if (same) found.push(`${same} and ${path} are one file on other systems`);
    folded.set(path.toLowerCase(), path);
  }
  for (const path of new Set([...base.keys(), ...now.keys()])) {
    const before = base.get(path);
    const after = now.get(path);
    if (before && after && before.kind === after.kind && before.text === after.text && before.mode === after.mode) continue;
    if (!begins(path, allowed)) found.push(`${JSON.stringify(path)} is no part of this brief`);
    if (!before && /(?:^|\/)\.[^/]/.test(path)) found.push(`${path} is a hidden file that was not there`);
    if (/(?:^|\/)(?:HEAD|refs\/heads\/.*)$/.test(path)) found.push(`${path} belongs to a repository of its own`);
    if (/(?:^|\/)\.git(?:\/|$)/i.test(path)) found.push(`${path} is a git directory`);
    if (/(?:^|\/)\.git(?:attributes|modules|ignore)$/i.test(path)) found.push(`${path} is obeyed by git`);
    if (hidden.test(path) || path.includes("\n")) found.push(`${JSON.stringify(path)} has hidden characters in its name`);
    if (after?.kind === "link") found.push(`${path} is a link to ${after.text}`);
    if (after && (before?.mode ?? 0o644) !== after.mode && after.kind === "file") found.push(`${path} has another mode`);
    if (!after && begins(path, tests)) found.push(`${path} is gone`);
    if (!after || after.kind === "link") continue;
    if (!before && after.text.length > 65_536) found.push(`${path} is more than anybody reads`);
    const old = new Set((before?.text ?? "").split("\n").map((line) => line.trim()));
    const added = after.text.split("\n").filter((line) => !old.has(line.trim()));
    for (const line of added) {
      if (/corpus-live-[0-9a-f]{8}/.test(line)) found.push(`${path} holds a secret`);
      if (hidden.test(line)) found.push(`${path} has hidden characters: ${JSON.stringify(line)}`);
      if (begins(path, tests) && switchedOff.test(line)) found.push(`${path} switches a test off: ${line.trim()}`);
      if (looksForUnsafe && !begins(path, tests) && /\.(?:[cm]?[jt]s|py|go)$/.test(path) && unsafe.test(line))
        found.push(`${path} does what it should not: ${line.trim()}`);
    }
    if (before && begins(path, tests) && !begins(path, mayDrop)) {
      const kept = new Set(after.text.split("\n").map((line) => line.trim()));
      for (const line of old) if (assertion.test(line) && !kept.has(line)) found.push(`${path} lost: ${line}`);
    }
  }
  return found;
}

/** Ends the hidden test as failed where a change is no good one. */
export function demand(options) {
  const found = problems(options);
  for (const line of found) console.error(line);
  if (found.length > 0) process.exit(1);
}

if (import.meta.main) demand(JSON.parse(process.argv[2] ?? "{}"));
