/** The masker against a slow one that is plainly right, over random texts, encodings and chunk borders. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { encodingsOf } from "../../src/secrets/encodings.ts";
import { createMasker, maskOf, maskText, namesIn, searchFor } from "../../src/secrets/masker.ts";
import { compileSearch, type Pattern } from "../../src/secrets/search.ts";

const printable = fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code));
const values = fc.string({ unit: printable, minLength: 8, maxLength: 40 }).filter((text) => new Set(text).size >= 4);

/** Every match of every pattern, overlapping ones joined. */
function slow(patterns: readonly Pattern[], bytes: Buffer): Buffer {
  const found: { start: number; end: number; name: string }[] = [];
  for (const { name, bytes: form } of patterns) {
    for (let at = bytes.indexOf(form); at >= 0; at = bytes.indexOf(form, at + 1)) {
      found.push({ start: at, end: at + form.length, name });
    }
  }
  found.sort((a, b) => a.start - b.start || b.end - a.end);
  const parts: Buffer[] = [];
  let cursor = 0;
  for (const { start, end, name } of found) {
    const before = /\\*$/.exec(bytes.subarray(0, start).toString("latin1"))?.[0].length ?? 0;
    const begin = bytes[start] === 0x5c && before % 2 === 1 ? start + 1 : start;
    if (start >= cursor) parts.push(bytes.subarray(cursor, begin), Buffer.from(maskOf(name)));
    cursor = Math.max(cursor, end);
  }
  return Buffer.concat([...parts, bytes.subarray(cursor)]);
}

/** Bytes cut at the given places. */
function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const borders = [0, ...places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return borders.slice(1).map((end, index) => bytes.subarray(borders[index], end));
}

function stream(patterns: readonly Pattern[], chunks: readonly Buffer[]): { out: Buffer; mostHeld: number } {
  const search = compileSearch(patterns);
  const masker = createMasker(search);
  let taken = 0;
  let mostHeld = 0;
  const out: Buffer[] = [];
  const plain = createMasker(compileSearch([]));
  for (const chunk of chunks) {
    taken += chunk.length;
    plain.push(chunk);
    out.push(masker.push(chunk));
    // What is out, or masked, plus what is held is what was taken; only the clean case can be counted.
    mostHeld = Math.max(mostHeld, taken - Buffer.concat(out).length);
  }
  out.push(masker.end());
  return { out: Buffer.concat(out), mostHeld };
}

const patternsOf = (known: Record<string, string>): Pattern[] =>
  Object.entries(known).flatMap(([name, value]) => encodingsOf(value).map((bytes) => ({ name, bytes })));

test("in any cutting it is what the slow one gives, over a small alphabet full of near misses", () => {
  // Few letters, so that patterns overlap, nest and begin in each other.
  const letters = fc.string({ unit: fc.constantFrom("a", "b", "c"), minLength: 2, maxLength: 7 });
  fc.assert(
    fc.property(
      fc.array(letters, { minLength: 1, maxLength: 5 }),
      fc.array(fc.constantFrom("a", "b", "c", "d", "ab", "abc", "cab"), { maxLength: 120 }),
      fc.array(fc.nat(), { maxLength: 30 }),
      (forms, text, places) => {
        const patterns = forms.map((form, index) => ({ name: `n${index}`, bytes: Buffer.from(form) }));
        const bytes = Buffer.from(text.join(""));
        const { out } = stream(patterns, cut(bytes, places));
        // Names may differ where two patterns are the same bytes.
        const strip = (buffer: Buffer) => buffer.toString().replace(/\[secret:n\d\]/g, "#");
        expect(strip(out)).toBe(strip(slow(patterns, bytes)));
      },
    ),
    { numRuns: 6000 },
  );
}, 60_000);

test("no form of a value leaves it, wherever the stream is cut", () => {
  fc.assert(
    fc.property(
      values,
      fc.array(fc.oneof(fc.string({ maxLength: 40 }), fc.nat({ max: 60 })), { minLength: 1, maxLength: 12 }),
      fc.array(fc.nat(), { maxLength: 40 }),
      (value, pieces, places) => {
        const forms = encodingsOf(value);
        const bytes = Buffer.concat(
          pieces.map((piece) =>
            typeof piece === "string" ? Buffer.from(piece) : (forms[piece % forms.length] as Buffer),
          ),
        );
        const { out } = stream(patternsOf({ key: value }), cut(bytes, places));
        const known = searchFor(new Map([["key", [value]]]));
        expect(namesIn(known, out)).toEqual([]);
        expect(namesIn(known, bytes).length > 0).toBe(out.includes("[secret:key]"));
      },
    ),
    { numRuns: 1500 },
  );
}, 60_000);

test("clean bytes come out byte for byte, in the chunks in which they went in", () => {
  fc.assert(
    fc.property(
      fc.array(values, { maxLength: 4 }),
      fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 20 }),
      (known, chunks) => {
        const search = searchFor(new Map(known.map((value, index) => [`n${index}`, [value]])));
        const all = Buffer.concat(chunks);
        fc.pre(search.next(all, 0) === undefined);
        const masker = createMasker(search);
        const out = chunks.map((chunk) => masker.push(Buffer.from(chunk)));
        expect(Buffer.concat([...out, masker.end()]).equals(all)).toBe(true);
      },
    ),
    { numRuns: 800 },
  );
});

test("it holds back less than the longest form, and nothing where none has begun", () => {
  const value = "hunter2-Zq81!x/+";
  const patterns = patternsOf({ key: value });
  const longest = Math.max(...patterns.map(({ bytes }) => bytes.length));
  const near = patterns.flatMap(({ bytes }) => [bytes.subarray(0, -1), Buffer.from("\n")]);
  const { mostHeld, out } = stream(patterns, near);
  expect(out.equals(Buffer.concat(near))).toBe(true);
  expect(mostHeld).toBeLessThan(longest);
  const masker = createMasker(compileSearch(patterns));
  // An event of a stream goes out at once: it ends with bytes that begin no form.
  for (const event of ["data: 1\n\n", "data: hunter\n\n", ": ping\n\n"]) {
    expect(masker.push(Buffer.from(event)).toString()).toBe(event);
  }
  expect(masker.push(Buffer.from("data: hunter2-Zq")).toString()).toBe("data: ");
  expect(masker.push(Buffer.from("81!x/+ and more")).toString()).toBe("[secret:key] and more");
  expect(masker.end().length).toBe(0);
});

test("an unfinished form at the end comes out as it is", () => {
  const masker = createMasker(searchFor(new Map([["key", ["hunter2-Zq81!x"]]])));
  const out = [masker.push(Buffer.from("so: hunter2-Zq")), masker.end()];
  expect(Buffer.concat(out).toString()).toBe("so: hunter2-Zq");
});

test("of two values that share bytes no end is left", () => {
  const search = searchFor(
    new Map([
      ["old", ["abcd1234efgh"]],
      ["new", ["1234efghijkl"]],
    ]),
  );
  expect(maskText(search, "<abcd1234efghijkl>")).toBe("<[secret:old]>");
  expect(maskText(search, "<abcd1234efgh><1234efghijkl>")).toBe("<[secret:old]><[secret:new]>");
  for (let at = 1; at < 17; at++) {
    const masker = createMasker(search);
    const bytes = Buffer.from("<abcd1234efghijkl>");
    const out = [masker.push(bytes.subarray(0, at)), masker.push(bytes.subarray(at)), masker.end()];
    expect(Buffer.concat(out).toString()).toBe("<[secret:old]>");
  }
});

test("JSON stays JSON when it is masked", () => {
  fc.assert(
    fc.property(values, fc.string(), (value, around) => {
      const masked = maskText(
        searchFor(new Map([["key", [value]]])),
        JSON.stringify({ a: around + value, [value]: [value] }),
      );
      expect(JSON.parse(masked)).toEqual({
        a: expect.stringContaining("[secret:key]"),
        "[secret:key]": ["[secret:key]"],
      });
    }),
    { numRuns: 300 },
  );
});

test("a backslash before a value keeps what it escapes", () => {
  const search = searchFor(new Map([["key", ['/!!!!!!"#']]]));
  for (const around of ["", "\\", "\\\\", "a\\"]) {
    const text = JSON.stringify(`${around}/!!!!!!"#`);
    // As PHP and others write it, with the slash escaped.
    for (const json of [text, text.replace("/", "\\/")]) {
      for (let at = 0; at <= json.length; at++) {
        const masker = createMasker(search);
        const bytes = Buffer.from(json);
        const out = [masker.push(bytes.subarray(0, at)), masker.push(bytes.subarray(at)), masker.end()];
        expect(JSON.parse(Buffer.concat(out).toString())).toBe(`${around}[secret:key]`);
      }
    }
  }
});

test("megabytes of clean text cost milliseconds", () => {
  const search = searchFor(
    new Map(["a", "b", "c", "d"].map((name) => [name, [`sk-${name}-9f8e7d6c5b4a39281706${name}`]])),
  );
  const bytes = Buffer.from(
    'The quick brown fox jumps over the lazy dog 0123456789 {"json": [1, 2, 3]}\n'.repeat(220_000),
  );
  const masker = createMasker(search);
  const began = performance.now();
  let out = 0;
  for (let at = 0; at < bytes.length; at += 65_536) out += masker.push(bytes.subarray(at, at + 65_536)).length;
  out += masker.end().length;
  const rate = bytes.length / 1e6 / ((performance.now() - began) / 1000);
  console.info(`masker: ${rate.toFixed(0)} MB/s over ${search.longest} bytes at most`);
  expect(out).toBe(bytes.length);
  expect(rate).toBeGreaterThan(20);
});
