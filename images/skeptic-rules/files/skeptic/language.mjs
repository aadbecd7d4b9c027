// What a path and a line are: code or not, test or not, comment or not. By name and shape only, for many languages.

const slashLanguages = new Set(
  "js mjs cjs jsx ts mts cts tsx java kt kts scala go rs c h cc cpp cxx hpp cs swift dart php groovy zig vue svelte".split(
    " ",
  ),
);
const hashLanguages = new Set("py pyi rb sh bash zsh pl pm r jl ex exs nix tcl ps1".split(" "));
const otherLanguages = new Set("sql lua hs clj cljs erl elm ml fs vb".split(" "));

/** The extension of a path, in lower case, without the dot. */
export function extension(path) {
  return /\.([A-Za-z0-9]+)$/.exec(path)?.[1]?.toLowerCase() ?? "";
}

/** Whether a path holds program code. */
export function isCode(path) {
  const kind = extension(path);
  return slashLanguages.has(kind) || hashLanguages.has(kind) || otherLanguages.has(kind) || isShell(path);
}

/** Whether commands of a path's lines are read by a shell: scripts, make files, pipelines, package scripts. */
export function isShell(path) {
  return (
    /(?:^|\/)(?:makefile|justfile|dockerfile|package\.json)$/i.test(path) || /\.(?:sh|bash|zsh|mk|ya?ml)$/i.test(path)
  );
}

/** Whether a path holds tests or what tests use, by the habits of many languages. */
export function isTest(path) {
  return (
    /(?:^|\/)(?:tests?|__tests__|specs?|testing|fixtures|__mocks__|e2e)\//i.test(path) ||
    /[._-](?:test|tests|spec|e2e)\.[A-Za-z0-9]+$/i.test(path) ||
    /(?:^|\/)(?:test_[^/]*|conftest)\.py$/.test(path) ||
    /(?:Test|Tests|Spec|IT)\.(?:java|kt|scala|cs|swift|php|groovy)$/.test(path)
  );
}

/** Whether a path is a program's entry, where ending the process and reading its arguments are at home. */
export function isEntry(path) {
  return (
    /(?:^|\/)(?:bin|cmd|cli|scripts?|tools?|bench|examples?)\//i.test(path) ||
    /(?:^|\/)(?:cli|main|__main__|manage|setup|server|index\.cli)\.[a-z]+$/i.test(path) ||
    isShell(path)
  );
}

/** Whether a path is the configuration of a test runner or of a build. */
export function isConfiguration(path) {
  return /(?:^|\/)(?:[^/]*\.config\.[a-z]+|jest\.[a-z.]+|\.mocharc[^/]*|pytest\.ini|tox\.ini|setup\.cfg|pyproject\.toml|conftest\.py|karma\.conf\.js|phpunit\.xml[^/]*|package\.json)$/i.test(
    path,
  );
}

/** The code of a line without its comment. Whole-line comments (also inner lines of a block) give an empty text. */
export function codeOf(text, path) {
  const kind = extension(path);
  if (slashLanguages.has(kind)) {
    if (/^\s*(?:\/\/|\/\*|\*(?:\s|\/|$))/.test(text))
      return text.includes("*/") ? text.slice(text.indexOf("*/") + 2) : "";
    return cutOutsideStrings(text, ["//", "/*"]);
  }
  if (hashLanguages.has(kind) || isShell(path)) return /^\s*#/.test(text) ? "" : cutOutsideStrings(text, [" #"]);
  if (kind === "sql" || kind === "lua" || kind === "hs" || kind === "elm") return cutOutsideStrings(text, ["--"]);
  return text;
}

/** The comment of a line, or an empty text. */
export function commentOf(text, path) {
  return text.slice(codeOf(text, path).length);
}

/** The code of a line with the content of its strings blanked: what is said in a string is not done. */
export function bareCodeOf(text, path) {
  return codeOf(text, path).replace(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`(?:[^`\\$]|\\.)*`/g, '""');
}

function cutOutsideStrings(text, marks) {
  let quote = "";
  for (let at = 0; at < text.length; at += 1) {
    const letter = text[at];
    if (quote !== "") {
      if (letter === "\\") at += 1;
      else if (letter === quote) quote = "";
    } else if (letter === '"' || letter === "'" || letter === "`") quote = letter;
    else if (marks.some((mark) => text.startsWith(mark, at))) return text.slice(0, at);
  }
  return text;
}
