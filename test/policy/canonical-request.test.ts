import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { pathReadings } from "../../src/policy/canonical-path.ts";
import { canonicalRequest, requestUrl } from "../../src/policy/canonical-request.ts";

const of = (url: string) => {
  const result = canonicalRequest({ method: "GET", url });
  return result.ok ? requestUrl(result.request) : `refused: ${result.why}`;
};

describe("one spelling for a host", () => {
  test.each([
    ["https://EXAMPLE.org./a", "https://example.org/a"],
    ["https://example.org:443/a", "https://example.org/a"],
    ["http://example.org:80", "http://example.org/"],
    ["https://bücher.de/", "https://xn--bcher-kva.de/"],
    ["https://exam\u00adple.org/", "https://example.org/"],
    ["https://a。b.org/", "https://a.b.org/"],
    ["https://a_b.example.org/", "https://a_b.example.org/"],
    ["http://2130706433/", "http://127.0.0.1/"],
    ["http://0x7f.1/", "http://127.0.0.1/"],
    ["http://0177.0.0.01/", "http://127.0.0.1/"],
    ["http://127.1/", "http://127.0.0.1/"],
    ["http://127.0.0.1./", "http://127.0.0.1/"],
    ["http://１２７.0.0.1/", "http://127.0.0.1/"],
    ["http://①②⑦.0.0.1/", "http://127.0.0.1/"],
    ["http://[0:0::1]:8080/", "http://[::1]:8080/"],
    ["http://[::FFFF:127.0.0.1]/", "http://[::ffff:7f00:1]/"],
  ])("%s is %s", (url, canonical) => {
    expect(of(url)).toBe(canonical);
  });

  test.each([
    "https://user@example.org/",
    "https://user:pw@example.org/",
    "https://example.org@evil.org/",
    "https://exa%6dple.org/",
    "https://example.org%00.evil.org/",
    "https://exam\u0000ple.org/",
    "https://exam ple.org/",
    "https://example.org\t/",
    "https://a..org/",
    "https://.example.org/",
    "https://example.org../",
    "https:///a",
    "https://example.org:0/",
    "https://example.org:65536/",
    "https://example.org:/",
    "https://example.org:+443/",
    "https://example.org:0443/",
    "http://[fe80::1%25eth0]/",
    "http://[::1/",
    "http://[127.0.0.1]/",
    "http://1.2.3.4.5/",
    "http://256.1.1.1/",
    "http://foo.1/",
    "https://-a.org/",
    "https://a-.org/",
    `https://${"a".repeat(64)}.org/`,
    `https://${"a.".repeat(127)}org/`,
    "https:\\\\example.org/",
    "https://example.org\\@evil.org/",
    "ftp://example.org/",
    "example.org",
    "//example.org/",
    "https:/example.org/",
    "https://example.org/#x",
    "https://[v1.a]/",
    "https://*.org/",
  ])("%j is refused", (url) => {
    expect(of(url)).toMatch(/^refused: /);
  });

  test("the parts of a request line say the same as its URL", () => {
    const parts = canonicalRequest({ method: "GET", scheme: "https", host: "Example.ORG.", path: "/a?b" });
    expect(parts).toEqual(canonicalRequest({ method: "GET", url: "https://example.org/a?b" }));
    for (const path of ["*", "", "a", "https://example.org/"]) {
      expect(canonicalRequest({ method: "GET", scheme: "https", host: "example.org", path }).ok).toBe(false);
    }
  });

  test.each(["get", "GET ", "TRACE", "CONNECT", "", "GET\r\nX:"])("the method %j is refused", (method) => {
    expect(canonicalRequest({ method, url: "https://example.org/" }).ok).toBe(false);
  });
});

describe("one spelling for a path", () => {
  test.each([
    ["/a/./b/../c", "/a/c"],
    ["/a/%2e%2E/b", "/b"],
    ["/../../a", "/a"],
    ["//a///b/", "/a/b/"],
    ["/%7Euser/%41", "/~user/A"],
    ["/a%2fb", "/a%2Fb"],
    ["/caf%c3%a9", "/caf%C3%A9"],
    ["/a{b}|c", "/a%7Bb%7D%7Cc"],
    ["/a/..", "/"],
    ["/a/b/.", "/a/b/"],
    ["/a;v=1/b", "/a;v=1/b"],
    ["/a%252eb", "/a%252eb"],
    ["/a?x=%41&y=//", "/a?x=%41&y=//"],
    ["/a?", "/a"],
    ["/@scope%2fname", "/@scope%2Fname"],
  ])("%s is %s", (path, canonical) => {
    expect(of(`https://example.org${path}`)).toBe(`https://example.org${canonical}`);
  });

  test.each([
    "/a\\b",
    "/a%5cb",
    "/a%00",
    "/a%0d%0ab",
    "/a%zz",
    "/a%",
    "/%c0%ae%c0%ae/",
    "/%ff",
    "/a b",
    "/a\u0000",
    "/é",
    "/a\tb",
    "/..;/a",
    "/a/..;x=1/b",
    "/a/%2e%2e%3b/b",
    "/a?x=%0d%0a",
  ])("%j is refused", (path) => {
    expect(of(`https://example.org${path}`)).toMatch(/^refused: /);
  });

  test("a target of more than 16 KiB is refused", () => {
    expect(of(`https://example.org/${"a".repeat(17_000)}`)).toMatch(/^refused: .*longer/);
    expect(of(`https://example.org/${"a".repeat(16_000)}`)).toMatch(/^https:/);
  });

  test("what a server may read it as is known", () => {
    expect(pathReadings("/a/b")).toEqual(["/a/b"]);
    expect(pathReadings("/caf%C3%A9")).toEqual(["/caf%C3%A9"]);
    expect(pathReadings("/100%25")).toEqual(["/100%25"]);
    expect(pathReadings("/public/..%2Fprivate")).toContain("/private");
    expect(pathReadings("/public/%252e%252e/private")).toContain("/private");
    expect(pathReadings("/public/%25252e%25252e/private")).toContain("/private");
    expect(pathReadings("/admin;x/y")).toContain("/admin/y");
    expect(pathReadings(`/a%${"25".repeat(40)}2e`)).toContain("");
  });

  test("making canonical is idempotent, and what is canonical holds no dot segment", () => {
    const piece = fc.constantFrom(
      "a",
      "..",
      ".",
      "/",
      "//",
      "%2e",
      "%2F",
      "%41",
      ";x",
      "~",
      "{",
      "%25",
      "2e",
      "?",
      "@",
      "%7B",
      "B",
    );
    const host = fc.constantFrom("example.org", "EXAMPLE.org.", "[::1]", "0x7f.1", "bücher.de", "8.8.8.8");
    fc.assert(
      fc.property(host, fc.array(piece, { maxLength: 12 }), (h, pieces) => {
        const once = canonicalRequest({ method: "GET", url: `https://${h}/${pieces.join("")}` });
        if (!once.ok) return;
        expect(canonicalRequest({ method: "GET", url: requestUrl(once.request) })).toEqual(once);
        expect(once.request.path).not.toMatch(/\/\/|\/\.{1,2}(?:\/|$)/);
      }),
      { numRuns: 5000 },
    );
  });

  test("a path that needs no work comes out as it does with all the work", () => {
    const piece = fc.constantFrom(
      "a",
      "..",
      ".",
      ".x",
      "x.",
      "/",
      "//",
      "%2e",
      "%2F",
      ";x",
      "~",
      "{",
      "..;",
      "@",
      "*",
      "'",
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 10 }), (pieces) => {
        const path = `/${pieces.join("")}`;
        const of = (url: string) => canonicalRequest({ method: "GET", url });
        const plain = of(`https://example.org${path}`);
        // An escape ahead of it lets nothing be skipped; the `..` takes the segment away again.
        const worked = of(`https://example.org/%41%2Fb/..${path}`);
        expect(plain.ok).toBe(worked.ok);
        if (!plain.ok || !worked.ok) return;
        expect(plain.request.path).toBe(worked.request.path);
        const { path: settled } = plain.request;
        if (/[%;]/.test(settled)) return;
        expect(pathReadings(settled)).toEqual([settled]);
        // The parameter at its end makes it read in every way: they differ in nothing else.
        const below = settled.endsWith("/") ? settled : `${settled}/`;
        const readings = pathReadings(`${below}z;q`).map((reading) => reading.replace(/z(?:;q)?$/, ""));
        expect(new Set(readings)).toEqual(new Set([below]));
      }),
      { numRuns: 5000 },
    );
  });
});
