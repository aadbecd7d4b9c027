// Refutations on added code: errors swallowed, stubs left, tests recognised, the process ended, code hidden.
import { added } from "./diff.mjs";
import {
  bareCodeOf,
  codeOf,
  commentOf,
  extension,
  isCode,
  isConfiguration,
  isEntry,
  isShell,
  isTest,
} from "./language.mjs";

/** One finding for each added line of the chosen files that the test accepts. */
function lines(files, choose, test, what, why) {
  return files
    .filter((file) => choose(file.path) && file.status !== "deleted")
    .flatMap((file) =>
      added(file)
        .filter((line, index, all) =>
          test(
            line.text,
            file,
            all.slice(index + 1, index + 4).map((l) => l.text),
          ),
        )
        .map(({ line }) => ({ path: file.path, line, what, why })),
    );
}

const product = (path) => isCode(path) && !isTest(path);

/** Findings where an error is caught and dropped. A comment of some words in its place counts as a reason. */
export function swallowedErrors({ files }) {
  return [
    ...lines(
      files,
      product,
      (text, file, next) => {
        const bare = bareCodeOf(text, file.path);
        if (/\bcatch\s*(?:\([^)]*\))?\s*\{\s*\}/.test(bare))
          return commentOf(text, file.path).length < 15 && !/\{\s*\/\*.{15,}\*\//.test(text);
        if (/\bcatch\s*(?:\([^)]*\))?\s*\{\s*$/.test(bare))
          return /^\s*\}/.test(next[0] ?? "") && commentOf(text, file.path).length < 15;
        if (/\.catch\(\s*(?:\(\s*\w*\s*\)|\w+)\s*=>\s*(?:\{\s*\}|undefined|null)\s*\)/.test(bare)) return true;
        if (extension(file.path) === "py") {
          const broad = /^\s*except(?:\s+\(?(?:Base)?Exception\)?(?:\s+as\s+\w+)?)?\s*:\s*(.*)$/.exec(
            codeOf(text, file.path).trimEnd(),
          );
          if (broad) return /^(?:pass|\.\.\.)$/.test(broad[1] === "" ? (next[0] ?? "").trim() : broad[1].trim());
        }
        return extension(file.path) === "rb" && /\brescue\s+nil\b|\brescue\s*(?:=>\s*\w+)?\s*;\s*end/.test(bare);
      },
      "an error is caught here and dropped",
      "a failure would look like success: handle it, or let it pass on",
    ),
    ...lines(
      files,
      isShell,
      (text, file) => /\|\|\s*(?:true|:)(?=\s*(?:$|[;&|"')}]))|^\s*set\s+\+e\b/.test(codeOf(text, file.path)),
      "a command's failure is ignored here",
      "a failure would look like success: let the command's exit status count",
    ),
  ];
}

/** Findings where added code says itself that it is not done, or returns a constant where it computed before. */
export function stubs({ files }) {
  const said = lines(
    files,
    product,
    (text, file, next) =>
      /\b(?:TODO|FIXME|XXX|HACK)\b/.test(commentOf(text, file.path)) ||
      /\b(?:todo|unimplemented)!\(/.test(bareCodeOf(text, file.path)) ||
      (/\b(?:throw|raise|panic|Err|Error)\b/.test(text) &&
        /not[\s_-]?(?:yet[\s_-]?)?implemented/i.test(codeOf(text, file.path)) &&
        !isAbstract(file, text)) ||
      (/^\s*(?:async\s+)?def\s.*:\s*$/.test(text) &&
        /^\s*(?:pass|\.\.\.)\s*$/.test(next[0] ?? "") &&
        !isAbstract(file, text)),
    "this is a stub",
    "the work is not done: implement it",
  );
  return [...said, ...files.filter((f) => product(f.path)).flatMap(constantReturns)];
}

/** An abstract method has no body by design. */
function isAbstract(file, text) {
  const hunk = file.hunks.find((h) => h.lines.some((l) => l.kind === "+" && l.text === text));
  return /\babstract|\bABC\b|\bProtocol\b|\b(?:Base|Abstract)\w*\s*[({:]/i.test(
    [hunk?.section, ...(hunk?.lines ?? []).map((l) => l.text)].join("\n"),
  );
}

const constant = String.raw`(?:-?\d[\w.]*|"[^"]*"|'[^']*'|true|false|True|False|null|None|nil|undefined|\[\s*\]|\{\s*\})`;
const returnsConstant = new RegExp(String.raw`(?:^|[\s{])return\s+${constant}\s*;?\s*\}?$|=>\s*${constant}\s*[;,]?$`);
const returnsComputed = /(?:\breturn\s+|=>\s*)(?=.*[A-Za-z_]\w*\s*[(.*/+%-]|.*[-+*/%]).+/;

function constantReturns(file) {
  const findings = [];
  for (const group of changeGroups(file)) {
    const code = (kind) =>
      group
        .filter((l) => l.kind === kind)
        .map((l) => ({ line: l.newLine, code: codeOf(l.text, file.path).trim() }))
        .filter((l) => l.code !== "");
    const come = code("+");
    const gone = code("-");
    const last = come.at(-1);
    // Only where nothing that computes came in its place; a guard before a computing return is a normal change.
    if (
      last &&
      returnsConstant.test(last.code) &&
      !/\b(?:if|unless|case|when|default|else)\b/.test(last.code) &&
      gone.some((l) => returnsComputed.test(l.code)) &&
      come.every(
        (l) =>
          l === last ||
          /^(?:export\s+)?(?:async\s+)?(?:function|def|func|fn|const|let|public|private|static)\b.*[{:>(]$/.test(
            l.code,
          ) ||
          /^[{}]+;?$/.test(l.code),
      )
    ) {
      findings.push({
        path: file.path,
        line: last.line,
        what: "a constant is returned where a value was computed",
        why: "the answer no longer depends on the input: compute it",
      });
    }
  }
  return findings;
}

/** Runs of removed and added lines without context between them. */
function changeGroups(file) {
  return file.hunks.flatMap((hunk) => {
    const groups = [[]];
    for (const line of hunk.lines) {
      if (line.kind === " ") groups.push([]);
      else groups.at(-1).push(line);
    }
    return groups.filter((g) => g.length > 0);
  });
}

const sniffing =
  /NODE_ENV\b[\])"'\s]*[!=]==?\s*["'`]test|["'`]test["'`]\s*[!=]==?\s*.*NODE_ENV|\b(?:JEST_WORKER_ID|VITEST(?:_\w+)?|NODE_TEST_CONTEXT|PYTEST_CURRENT_TEST|MOCHA_\w+|SALLYPORT_\w+|RAILS_ENV|GO_TEST)\b|["']pytest["']\s+in\s+sys\.modules|\b(?:process|sys)\.argv\b.*(?:test|spec|jest|mocha|pytest)|\b(?:stack|getStackTrace\(\)|_getframe\([^)]*\))\b.*\b(?:includes|match|test|indexOf|search|contains)\b|\binspect\.(?:stack|currentframe)\(|typeof\s+(?:describe|it|jest|vi)\b|["'`]\/(?:worktree|workspace|case|brief)\b/;

/** Findings where code outside the tests asks whether it is being tested. */
export function recognisedTests({ files }) {
  return lines(
    files,
    (path) => product(path) && !isConfiguration(path),
    (text, file) => sniffing.test(codeOf(text, file.path)),
    "this code asks whether it is being tested",
    "it could behave otherwise when nobody tests: do the same everywhere",
  );
}

/** Findings where library code ends the process, runs programs as it loads, or replaces what others rely on. */
export function sideEffects({ files }) {
  return [
    ...lines(
      files,
      (path) => product(path) && !isEntry(path),
      (text, file) =>
        /\bprocess\.(?:exit|abort|reallyExit)\s*\(|\bprocess\.exitCode\s*=|\bos\._exit\(|\bsys\.exit\(|\bSystem\.exit\(|\bos\.Exit\(|\bstd::process::exit\(/.test(
          bareCodeOf(text, file.path),
        ) &&
        !file.hunks.some((h) =>
          h.lines.some((l) => /^#!|__name__\s*==|import\.meta\.main|require\.main\s*===/.test(l.text)),
        ),
      "library code ends the process here",
      "a test run that ends early can look green: return or throw instead",
    ),
    ...lines(
      files,
      (path) => product(path) && !isEntry(path),
      (text, file) =>
        /^(?:await\s+|(?:const|let|var)\s+[^=]+=\s*(?:await\s+)?)?(?:[\w.]*\b(?:execSync|execFileSync|spawnSync|exec|spawn)|os\.system|subprocess\.\w+|fetch)\s*\(/.test(
          bareCodeOf(text, file.path),
        ),
      "this runs a program or a request as soon as the file is loaded",
      "loading a module must have no effect: put it in a function",
    ),
    ...lines(
      files,
      product,
      (text, file) =>
        /(?:^|[;{]\s*)\s*(?:Math|JSON|Date|Number|String|Array|Object|Promise|console|assert|globalThis)(?:\.prototype)?\.\w+\s*=(?!=)|\brequire\.cache\b|\bsys\.modules\s*\[[^\]]+\]\s*=|\bprocess\.on\(\s*""/.test(
          bareCodeOf(text, file.path),
        ) &&
        (!/\bprocess\.on\(/.test(text) || /["'`](?:exit|beforeExit)["'`]/.test(text)),
      "this replaces something that all code shares, tests included",
      "it could change what the tests see: keep shared objects as they are",
    ),
  ];
}

/** Findings where code is made from text or hidden in data. */
export function hiddenCode({ files }) {
  return lines(
    files,
    product,
    (text, file) => {
      const bare = bareCodeOf(text, file.path);
      if (
        /(?<![.\w])eval\s*\(|\bnew\s+Function\s*\(|(?<![.\w])Function\s*\(\s*""|\bvm\.(?:runIn\w+|Script|compileFunction)\b|\b__import__\s*\(/.test(
          bare,
        )
      )
        return !/\bdef\s+eval|function\s+eval/.test(bare);
      if (extension(file.path) === "py" && /(?<![.\w])exec\s*\(/.test(bare)) return true;
      // Comments that the compiler obeys: they run programs, or reach past what a package shows.
      if (extension(file.path) === "go" && /^\/\/go:(?:generate|linkname|cgo_\w+)\s/.test(text)) return true;
      if (
        /\b(?:atob|b64decode)\s*\(\s*["'`][A-Za-z0-9+/=_-]{24,}|\bfrom\(\s*["'`][A-Za-z0-9+/=_-]{24,}["'`]\s*,\s*["'`](?:base64|hex)/.test(
          text,
        )
      )
        return true;
      if (/["'`][A-Za-z0-9+/=_-]{200,}["'`]/.test(text)) return true;
      return (
        /(?:\\x[0-9a-f]{2}|\\u[0-9a-f]{4}){12,}|fromCharCode\s*\((?:\s*\w+\s*,){8,}/i.test(text) || text.length > 4000
      );
    },
    "code is made from text here, or hidden in data",
    "what cannot be read cannot be verified: write it out",
  );
}
