/**
 * Which files of a tree a source file loads, read off its text. A hint for the lint and nothing more: what a parser would
 * find and this does not is a missing warning, never a wrong decision. Pure.
 */
import { posix } from "node:path";

const script = /\.[cm]?[jt]sx?$/;
const python = /\.pyi?$/;
const cFamily = /\.(?:c|h|cc|cpp|cxx|hh|hpp|m|mm)$/;

/** Whether imports of such a file are understood. */
export function isSource(path: string): boolean {
  return script.test(path) || python.test(path) || cFamily.test(path);
}

/** The paths of the tree that `path`, with this text, loads. */
export function importsOf(path: string, text: string, tree: ReadonlySet<string>): string[] {
  const candidates = script.test(path)
    ? scriptCandidates(path, text)
    : python.test(path)
      ? pythonCandidates(path, text)
      : includeCandidates(path, text);
  const found = new Set<string>();
  for (const options of candidates) {
    const hit = options.find((option) => option !== path && tree.has(option));
    if (hit) found.add(hit);
  }
  return [...found];
}

const all = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].map((match) => match[1] ?? "");
const below = (path: string, relative: string) => posix.normalize(posix.join(posix.dirname(path), relative));

/** `import … from "./x"`, `export … from`, `import("./x")`, `require("./x")`: relative ones, with what a resolver tries. */
function scriptCandidates(path: string, text: string): string[][] {
  const named = all(text, /(?:\bfrom|\bimport|\brequire)\s{0,20}\(?\s{0,20}["'](\.{1,2}\/[^"'\n]{1,300})["']/g);
  return named.map((name) => {
    const target = below(path, name.replace(/[?#].*$/, ""));
    const bare = target.replace(/\.[cm]?jsx?$/, "");
    const ends = [".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs", ".json"];
    return [
      target,
      ...ends.map((end) => `${target}${end}`),
      ...ends.map((end) => `${bare}${end}`),
      ...ends.map((end) => `${target}/index${end}`),
    ];
  });
}

/** `from .x import y`, `from a.b import c`, `import a.b`: modules and packages of the tree, from its root or from `src`. */
function pythonCandidates(path: string, text: string): string[][] {
  const options = (base: string) => [`${base}.py`, `${base}/__init__.py`, `src/${base}.py`, `src/${base}/__init__.py`];
  const candidates: string[][] = [];
  for (const match of text.matchAll(
    /^[ \t]{0,40}from[ \t]+(\.{0,8})([\w.]{0,200})[ \t]+import[ \t]+\(?([\w, \t]{1,300})/gm,
  )) {
    const [, dots = "", module = "", names = ""] = match;
    const parts = module.split(".").filter(Boolean);
    const home = dots ? posix.normalize(posix.join(posix.dirname(path), "../".repeat(dots.length - 1) || ".")) : "";
    const base = [home.replace(/^\.?\/?$|\/$/, ""), ...parts].filter(Boolean).join("/");
    if (base) candidates.push(options(base));
    // What is imported may be a module of that package.
    for (const name of names.split(",").map((one) => one.trim().split(/\s/)[0] ?? "")) {
      if (name) candidates.push(options([base, name].filter(Boolean).join("/")));
    }
  }
  for (const module of all(text, /^[ \t]{0,40}import[ \t]+([\w.]{1,200})/gm))
    candidates.push(options(module.replaceAll(".", "/")));
  return candidates;
}

/** `#include "x.h"`, beside the file or from the root. */
function includeCandidates(path: string, text: string): string[][] {
  return all(text, /^[ \t]{0,40}#[ \t]{0,20}(?:include|import)[ \t]{0,20}"([^"\n]{1,300})"/gm).map((name) => [
    below(path, name),
    posix.normalize(name),
  ]);
}
