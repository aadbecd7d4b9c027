/** The report: one file of HTML that runs nothing, loads nothing, and shows what was written as it was written. */
import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { renderReport } from "../../src/console/report.ts";
import { hostile, poisoned, samplePage } from "./sample-page.ts";

const options = { made: "2026-03-02T08:00:00.000Z", version: "0.1.0" };

describe("a report", () => {
  it("answers the five questions about one delegation, each at its anchor", async () => {
    const html = await renderReport(samplePage(), options);
    expect(html).toMatch(/^<!doctype html>\n<html lang="en">/);
    for (const id of ["did", "tried", "landed", "whole", "cost"]) {
      expect(html).toContain(`href="#${id}"`);
      expect(html).toContain(`id="${id}"`);
    }
    for (const text of [
      "Round half up",
      "parts of a cent",
      "https://evil.example/take",
      "cents() rounds to the nearest cent",
      "the line rounds",
      "nobody uses it",
      "that lines after the last signed one were not cut off",
      "What the harness said it ran: a claim",
      "$0.0042",
    ])
      expect(html).toContain(text);
    expect(html).toMatch(/<h1[^>]*><bdi>Round half up/);
    const ids = [...html.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id);
    expect(ids.length).toBe(new Set(ids).size);
  });

  it("is whole in itself: no script, no request, one style under its hash", async () => {
    const html = await renderReport(samplePage(), options);
    expect(html).not.toMatch(
      /<script|<link|<img|<iframe|<object|<embed|<base|\ssrc=|\son[a-z]+=|\sstyle=|url\(|@import/i,
    );
    const [, style = ""] = /<style>([\s\S]*?)<\/style>/.exec(html) ?? [];
    const hash = createHash("sha256").update(style).digest("base64");
    expect(html).toContain(
      `content="default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'"`,
    );
    expect(html.match(/<style/g)).toHaveLength(1);
    // Every link stays in the file.
    for (const [, target] of html.matchAll(/href="([^"]*)"/g)) expect(target).toMatch(/^#/);
  });

  it("keeps hostile text a text in every field", async () => {
    const benign = await renderReport(samplePage(), options);
    const html = await renderReport(poisoned(samplePage()), options);
    const tags = (text: string) => [...text.matchAll(/<([a-z][a-z0-9]*)/g)].map(([, tag]) => tag ?? "");
    const known = new Set([...tags(benign), "pre", "details", "summary"]);
    expect([...new Set(tags(html))].filter((tag) => !known.has(tag))).toEqual([]);
    expect(/<script|<img|<style>\*/.test(html)).toBe(false);
    expect(html.match(/<style/g)).toHaveLength(1);
    for (const [, target] of html.matchAll(/href="([^"]*)"/g)) expect(target).toMatch(/^#/);
    // Shown, not acted on.
    expect(html).toContain("&lt;script>globalThis.pwned=1&lt;/script>");
    expect(html).toContain("⟦U+202E⟧");
    expect(html).toContain("⟦U+001B⟧");
    const acting = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2066-\u2069]/;
    expect(acting.exec(html)?.index).toBeUndefined();
    expect(html.isWellFormed()).toBe(true);
    expect(hostile.isWellFormed()).toBe(false);
  });

  it("holds many, each with anchors of its own, after a list of them", async () => {
    const pages = ["b", "c", "d"].map((letter) => {
      const page = samplePage();
      return { ...page, summary: { ...page.summary, id: `d-${letter.repeat(16)}` } };
    });
    const html = await renderReport(pages, { ...options, asked: "since 2026-01-01" });
    const ids = [...html.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id ?? "");
    expect(ids.length).toBe(new Set(ids).size);
    for (const [, target = ""] of html.matchAll(/href="#([^"]*)"/g)) expect(ids).toContain(target);
    for (const { summary } of pages) expect(ids).toContain(`${summary.id}-tried`);
    expect(html.match(/<h1/g)).toHaveLength(1);
    expect(html).toContain("since 2026-01-01");
    expect(await renderReport([], options)).toContain("No delegation was asked for");
  });
});
