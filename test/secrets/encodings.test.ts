/** The forms of a value, against the encoders that programs really use. */
import { execFileSync } from "node:child_process";
import { stringify } from "node:querystring";
import fc from "fast-check";
import { expect, test } from "vitest";
import { base64Cores, encodingsOf } from "../../src/secrets/encodings.ts";

/** A value as the sources accept it. */
const values = fc
  .string({
    unit: fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code)),
    minLength: 8,
    maxLength: 60,
  })
  .filter((text) => new Set(text).size >= 4);

const encoders: Record<string, (text: string) => string | Buffer> = {
  plain: (text) => text,
  json: (text) => JSON.stringify({ text }),
  "json in json": (text) => JSON.stringify(JSON.stringify({ text })),
  url: (text) => `https://example.org/?q=${encodeURIComponent(text)}`,
  "url path": (text) => new URL(`https://example.org/?q=${encodeURIComponent(text)}`).href,
  form: (text) => new URLSearchParams({ q: text }).toString(),
  querystring: (text) => stringify({ q: text }),
  hex: (text) => Buffer.from(text).toString("hex"),
  "upper hex": (text) => Buffer.from(text).toString("hex").toUpperCase(),
  base64: (text) => Buffer.from(text).toString("base64"),
  base64url: (text) => Buffer.from(text).toString("base64url"),
  basic: (text) => Buffer.from(`user:${text}`).toString("base64"),
  utf16: (text) => Buffer.from(text, "utf16le"),
};

test.each(Object.entries(encoders))("%s is among the forms", (_, encode) => {
  fc.assert(
    fc.property(values, (value) => {
      const bytes = Buffer.from(encode(value));
      expect(encodingsOf(value).some((form) => bytes.includes(form))).toBe(true);
    }),
    { numRuns: 300 },
  );
});

test("base64 is found at every place, in every text around it", () => {
  fc.assert(
    fc.property(values, fc.uint8Array({ maxLength: 50 }), fc.uint8Array({ maxLength: 50 }), (value, before, after) => {
      const bytes = Buffer.concat([before, Buffer.from(value), after]);
      const cores = base64Cores(Buffer.from(value));
      for (const text of [bytes.toString("base64"), bytes.toString("base64url")]) {
        expect(cores.some((core) => text.includes(core))).toBe(true);
      }
    }),
    { numRuns: 1000 },
  );
});

test("the escapers of Python and of sh agree", () => {
  const value = `a&b<c>"d'e/f=g+h i%j`;
  const script = `
import sys, json, html, urllib.parse, base64, binascii
v = sys.argv[1]
for form in [json.dumps(v), html.escape(v), html.escape(v, quote=False), urllib.parse.quote(v), urllib.parse.quote(v, safe=""),
             urllib.parse.quote_plus(v), base64.b64encode(v.encode()).decode(), base64.urlsafe_b64encode(v.encode()).decode(),
             binascii.hexlify(v.encode()).decode()]:
    print(form)`;
  const lines = execFileSync("python3", ["-c", script, value], { encoding: "latin1", timeout: 20_000 })
    .trim()
    .split("\n");
  expect(lines).toHaveLength(9);
  const forms = encodingsOf(value).map((form) => form.toString("latin1"));
  for (const line of lines)
    expect(
      forms.some((form) => line.includes(form)),
      line,
    ).toBe(true);
});

test("every form is long enough not to meet other text by chance", () => {
  fc.assert(
    fc.property(values, (value) => encodingsOf(value).every((form) => form.length >= 8)),
    { numRuns: 300 },
  );
});
