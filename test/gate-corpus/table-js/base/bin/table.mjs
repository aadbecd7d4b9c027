#!/usr/bin/env node
// table head N | sort COLUMN | columns NAME... : from standard input to standard output.
import { readFileSync } from "node:fs";
import { head, pick, read, sortBy, write } from "../src/table.mjs";

const [verb, ...words] = process.argv.slice(2);
const table = read(readFileSync(0, "utf8"));
const verbs = {
  head: () => head(table, Number(words[0] ?? 10)),
  sort: () => sortBy(table, words[0]),
  columns: () => pick(table, words),
};
if (!Object.hasOwn(verbs, verb ?? "")) {
  console.error("usage: table head N | sort COLUMN | columns NAME...");
  process.exit(2);
}
process.stdout.write(write(verbs[verb]()));
