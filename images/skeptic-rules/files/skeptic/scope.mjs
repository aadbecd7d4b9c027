// Refutation: the change does what nobody asked for. Only kinds of files that a change of code has no need of are
// judged, and only when neither the intent nor a criterion speaks of them.
import { added, removed } from "./diff.mjs";
import { isTest } from "./language.mjs";

const kinds = [
  {
    what: "continuous integration",
    paths:
      /(?:^|\/)(?:\.github|\.gitlab|\.circleci|\.ci|\.buildkite)\/|(?:^|\/)(?:\.gitlab-ci\.yml|Jenkinsfile|azure-pipelines\.yml)$/,
    asked: /\b(?:ci|workflows?|pipelines?|github actions|continuous integration)\b/i,
  },
  {
    what: "git's own configuration",
    paths: /(?:^|\/)\.git(?:attributes|modules|ignore|config)$/,
    asked: /\bgit(?:ignore|attributes|modules)?\b|\bignored? files\b|\bsubmodules?\b/i,
  },
  {
    what: "configuration of editors, agents or hooks",
    paths:
      /(?:^|\/)\.(?:vscode|idea|claude|codex|cursor|husky|devcontainer|aider[^/]*|envrc|mcp\.json|npmrc|yarnrc[^/]*|pypirc)(?:\/|$)|(?:^|\/)(?:CLAUDE|AGENTS|GEMINI)\.md$/i,
    asked: /\b(?:editor|ide|agents?|hooks?|dev ?container|vscode|claude|codex|cursor|registry|npmrc)\b/i,
  },
  {
    what: "a licence",
    paths: /(?:^|\/)(?:LICEN[CS]E|COPYING|NOTICE)(?:\.[a-z]+)?$/i,
    asked: /\blicen[cs](?:e|es|ing)\b|\bnotice\b/i,
  },
  {
    what: "build output or other people's code",
    paths:
      /(?:^|\/)(?:node_modules|vendor|third_party|dist|build|target|__pycache__|\.venv)\/|\.min\.(?:js|css)$|\.pyc$/,
    asked: /\b(?:vendor(?:ed|ing)?|dist|build|bundles?|minif\w+|third.party)\b/i,
  },
  {
    what: "a lock file",
    paths:
      /(?:^|\/)(?:package-lock\.json|npm-shrinkwrap\.json|yarn\.lock|pnpm-lock\.yaml|Cargo\.lock|poetry\.lock|uv\.lock|Gemfile\.lock|composer\.lock|go\.sum)$/,
    asked: /\b(?:dependenc(?:y|ies)|packages?|lock ?files?|upgrade|update|install|library|libraries|pins?)\b/i,
  },
];

/** Findings where a file of such a kind changed unasked, or something that is no text was added. */
export function unaskedChanges({ files, intent, accept }) {
  const question = [intent ?? "", ...accept.map((a) => a.must)].join("\n");
  return files.flatMap((file) => {
    const named = question.includes(file.path) || question.includes(file.path.split("/").at(-1));
    if (named) return [];
    const place = { path: file.path, line: (added(file)[0] ?? removed(file)[0])?.line };
    const kind = kinds.find((k) => k.paths.test(file.path) && !k.asked.test(question));
    if (kind)
      return [
        {
          ...place,
          what: `${kind.what} was changed`,
          why: "neither the intent nor a criterion asks for it: leave it as it is",
        },
      ];
    if (file.mode === "120000" && !/\b(?:sym)?links?\b/i.test(question)) {
      return [{ ...place, what: "a symbolic link was added", why: "nothing asks for a link: use a file" }];
    }
    if (
      file.binary &&
      file.status !== "deleted" &&
      !isTest(file.path) &&
      !/\b(?:binary|images?|icons?|fonts?|assets?|logo|pictures?|wasm|archives?)\b/i.test(question)
    ) {
      return [
        {
          ...place,
          what: "a binary file was added or changed",
          why: "it cannot be read, so it cannot be verified: leave it out",
        },
      ];
    }
    return [];
  });
}
