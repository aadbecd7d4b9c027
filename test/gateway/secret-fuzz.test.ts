/** The readers of what a sandbox and the other processes send, under random input for a fixed time. */
import { PassThrough } from "node:stream";
import fc from "fast-check";
import { expect, test } from "vitest";
import { openLink } from "../../src/gateway/secret-link.ts";
import { planBound, planRoute } from "../../src/gateway/secret-request.ts";
import { findPlaceholder, scanBody } from "../../src/gateway/secret-scan.ts";
import { encodingsOf } from "../../src/secrets/encodings.ts";
import { namesIn, searchFor } from "../../src/secrets/masker.ts";
import { placeholderFor } from "../../src/secrets/placeholder.ts";

/** Milliseconds for each target. */
const time = 4000;
const placeholder = placeholderFor("key", Buffer.from("0123456789abcdef", "hex"));
const value = "canary-4f9e2b7c1d/+=&x$&";
const search = searchFor(new Map([["key", [placeholder]]]));
const forms = encodingsOf(placeholder).map((form) => form.toString("latin1"));

/** Text in which a placeholder, or a part of one, is likely. */
const text = fc
  .array(
    fc.oneof(
      fc.string({ maxLength: 12 }),
      fc.constantFrom(
        placeholder,
        placeholder.slice(0, -1),
        placeholder.slice(1),
        "Bearer ",
        "token=",
        "&",
        "?",
        "=",
        "%",
        "%25",
        " ",
      ),
      fc.constantFrom(...forms),
      fc.constant(placeholder).map((p) => `Basic ${Buffer.from(`robot:${p}`).toString("base64")}`),
    ),
    { maxLength: 5 },
  )
  .map((parts) => parts.join("").replace(/[^\x20-\x7e]/g, "_"));
const basic = `Basic ${Buffer.from(`robot:${placeholder}`).toString("base64")}`;
const right = fc.constantFrom<[string, string]>(
  ["X-Api-Key", placeholder],
  ["authorization", `bearer ${placeholder}`],
  ["authorization", basic],
);
const field = fc.tuple(fc.oneof(fc.constantFrom("authorization", "X-Api-Key", "cookie", "x-other"), text), text);
const headers = fc.array(fc.oneof(field, right), { maxLength: 4 }).map((pairs) => pairs.flat());
const query = fc.oneof(text, fc.constantFrom(`a=1&token=${placeholder}`, `token=${placeholder}&token=x`, ""));
const target = fc
  .tuple(fc.oneof(text, fc.constant("api/v1")), query)
  .map(([path, pairs]) => `/${path.replace(/[?# ]/g, "")}?${pairs.replace(/[# ]/g, "")}`);
const bindings = fc.constantFrom(
  { from: "env:X", header: "x-api-key" },
  { from: "env:X", header: "authorization", form: "Bearer {}" },
  { from: "env:X", basic: "robot" },
  { from: "env:X", query: "token" },
);

test("whatever a request holds, a value goes in at most once, and only where no placeholder is left", () => {
  let filled = 0;
  fc.assert(
    fc.property(headers, target, bindings, (sent, path, binding) => {
      const carried = { headers: sent, target: path };
      const plan = planBound(carried, { binding, placeholder });
      if (!plan.used) {
        expect(plan.fill(value)).toEqual(carried);
        return;
      }
      if (findPlaceholder(search, plan.rest)) return;
      filled += 1;
      const out = plan.fill(value);
      const all = [...out.headers, out.target].join("\n");
      expect(all).not.toContain(placeholder);
      const names = namesIn(searchFor(new Map([["value", [value]]])), Buffer.from(all, "latin1"));
      expect(names).toEqual(["value"]);
      // Nothing but the one place has changed.
      const changes = out.headers.filter((one, at) => one !== sent[at]).length + (out.target === path ? 0 : 1);
      expect(changes).toBe(1);
    }),
    { interruptAfterTimeLimit: time, numRuns: 1e6 },
  );
  expect(filled).toBeGreaterThan(10);
}, 20_000);

test("whatever a client sends on a model route, its keys are gone and the one of the route is there once", () => {
  fc.assert(
    fc.property(headers, target, bindings, (sent, path, binding) => {
      const out = planRoute({ headers: sent, target: path }, binding).fill(value);
      const names = out.headers.filter((_, at) => at % 2 === 0).map((name) => name.toLowerCase());
      const keys = names.filter((name) => ["authorization", "x-api-key", "x-goog-api-key", "api-key"].includes(name));
      expect(keys).toHaveLength(binding.query === undefined ? 1 : 0);
      if (binding.query !== undefined) expect(out.target.match(/[?&]token=canary/g)).toHaveLength(1);
    }),
    { interruptAfterTimeLimit: time, numRuns: 1e6 },
  );
}, 20_000);

test("a body is refused exactly when it holds a form of the placeholder, in any cutting; else it is whole", () => {
  fc.assert(
    fc.property(fc.array(text, { maxLength: 6 }), fc.array(fc.nat(), { maxLength: 20 }), (parts, places) => {
      const body = Buffer.from(parts.join("\n"), "latin1");
      const borders = [0, ...places.map((place) => place % (body.length + 1)).sort((a, b) => a - b), body.length];
      const scan = scanBody(search, (name) => ({ code: "secret-unbound", why: name, next: "" }));
      const out: Buffer[] = [];
      let refused = false;
      for (const [index, end] of borders.slice(1).entries()) {
        const given = scan.push(Buffer.from(body.subarray(borders[index], end)));
        if (Buffer.isBuffer(given)) out.push(given);
        else {
          refused = true;
          break;
        }
      }
      const last = refused ? Buffer.alloc(0) : scan.end();
      if (Buffer.isBuffer(last)) out.push(last);
      expect(refused).toBe(namesIn(search, body).length > 0);
      const passed = Buffer.concat(out);
      expect(namesIn(search, passed)).toEqual([]);
      expect(body.subarray(0, passed.length).equals(passed)).toBe(true);
      if (!refused) expect(passed.length).toBe(body.length);
    }),
    { interruptAfterTimeLimit: time, numRuns: 1e6 },
  );
}, 20_000);

test("whatever bytes come over a link, it answers or ends, and never throws", async () => {
  const frame = (body: string) => {
    const bytes = Buffer.from(body, "utf8");
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    return Buffer.concat([length, bytes]);
  };
  const piece = fc.oneof(
    fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
    fc.json().map(frame),
    fc
      .record({ id: fc.oneof(fc.nat(), fc.string()), verb: fc.string(), data: fc.anything() })
      .map((message) => frame(JSON.stringify(message, (_, v) => (typeof v === "bigint" ? 0 : v)))),
    fc
      .record({ id: fc.nat({ max: 3 }), ok: fc.boolean(), value: fc.string(), code: fc.string() })
      .map((message) => frame(JSON.stringify(message))),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 8 }), fc.nat(), async (pieces, place) => {
      const wire = new PassThrough();
      const link = openLink(wire, (verb) => {
        if (verb.length % 2 === 0) throw new Error("canary");
        return verb;
      });
      const asked = link.ask("mask", { text: "x" }).catch((error: Error) => error.message);
      const all = Buffer.concat(pieces);
      const at = all.length === 0 ? 0 : place % all.length;
      wire.write(all.subarray(0, at));
      if (!wire.destroyed) wire.write(all.subarray(at));
      await new Promise((done) => setImmediate(done));
      link.close();
      expect(JSON.stringify(await asked)).not.toContain("canary");
    }),
    { interruptAfterTimeLimit: time, numRuns: 1e6 },
  );
}, 20_000);
