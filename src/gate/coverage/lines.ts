/** Reads which lines a run covered: a file that was written beside the code under test, so bounded and parsed strictly. */
import { XMLParser, XMLValidator } from "fast-xml-parser";

/** File as the tool names it → line → whether it ran. */
export type CoveredLines = ReadonlyMap<string, ReadonlyMap<number, boolean>>;

export type CoverageForm = "lcov" | "cobertura" | "go";

/** Lines of all files together, and the highest number of one. */
const mostLines = 2_000_000;
const highestLine = 10_000_000;

class Lines {
  readonly files = new Map<string, Map<number, boolean>>();
  private count = 0;

  /** A line that ran once has run. False where the file is beyond all bounds. */
  add(file: string, line: number, ran: boolean): boolean {
    if (!Number.isInteger(line) || line < 1 || line > highestLine || ++this.count > mostLines) return false;
    const known = this.files.get(file) ?? new Map<number, boolean>();
    this.files.set(file, known);
    known.set(line, ran || known.get(line) === true);
    return true;
  }
}

/** The covered lines in a coverage file; undefined where it is not of that form, or beyond all bounds. Pure. */
export function readCoverage(form: CoverageForm, text: string): CoveredLines | undefined {
  const lines = new Lines();
  const isRead = { lcov: readLcov, cobertura: readCobertura, go: readGo }[form](text, lines);
  return isRead ? lines.files : undefined;
}

/** geninfo(1): `SF:` begins a file, `DA:line,count` is a line of it. */
function readLcov(text: string, lines: Lines): boolean {
  let file: string | undefined;
  for (const line of text.split("\n")) {
    if (line.startsWith("SF:")) file = line.slice(3).trim();
    else if (line.startsWith("end_of_record")) file = undefined;
    else if (line.startsWith("DA:")) {
      const [, number, count] = /^DA:(\d{1,9}),(-?\d{1,18})(?:,\S*)?\s*$/.exec(line) ?? [];
      if (file === undefined || number === undefined) return false;
      if (!lines.add(file, Number(number), Number(count) > 0)) return false;
    }
  }
  return lines.files.size > 0 || /^(?:TN|SF):/m.test(text);
}

/** cmd/cover: `mode: …`, then `file:line.column,line.column statements count`. Blocks may overlap; run once is run. */
function readGo(text: string, lines: Lines): boolean {
  const [head, ...blocks] = text.split("\n");
  if (!/^mode: (?:set|count|atomic)$/.test(head ?? "")) return false;
  for (const block of blocks.filter((line) => line !== "")) {
    const [, file, from, to, count] = /^(.+):(\d{1,8})\.\d+,(\d{1,8})\.\d+ \d+ (\d{1,18})$/.exec(block) ?? [];
    if (file === undefined) return false;
    for (let line = Number(from); line <= Number(to); line++)
      if (!lines.add(file, line, Number(count) > 0)) return false;
  }
  return true;
}

const parser = new XMLParser({
  ignoreAttributes: false,
  attributeNamePrefix: "@",
  parseAttributeValue: false,
  parseTagValue: false,
  isArray: (name) => ["package", "class", "line", "source"].includes(name),
});

interface Cobertura {
  coverage?: {
    sources?: { source?: string[] };
    packages?: { package?: { classes?: { class?: CoberturaClass[] } }[] };
  };
}
interface CoberturaClass {
  "@filename"?: string;
  lines?: { line?: { "@number"?: string; "@hits"?: string }[] };
}

/** The first root that the tree's own folder holds is put before the names, which are relative to it. */
function readCobertura(text: string, lines: Lines): boolean {
  // coverage.py writes a document type that names a DTD; entities of its own it has none.
  if (/<!ENTITY/i.test(text)) return false;
  // An empty element is parsed to an empty text, which has none of these either.
  try {
    if (XMLValidator.validate(text) !== true) return false;
    const { coverage } = parser.parse(text.replace(/<!DOCTYPE[^>[]*>/i, "")) as Cobertura;
    if (!coverage) return false;
    const root = coverage.sources?.source?.find((one) => String(one).startsWith("/workspace"));
    for (const found of coverage.packages?.package ?? []) {
      for (const one of found.classes?.class ?? []) {
        const name = String(one["@filename"] ?? "");
        const file = name.startsWith("/") || root === undefined ? name : `${root}/${name}`;
        for (const line of one.lines?.line ?? []) {
          if (!lines.add(file, Number(line["@number"]), Number(line["@hits"]) > 0)) return false;
        }
      }
    }
    return true;
  } catch {
    return false;
  }
}
