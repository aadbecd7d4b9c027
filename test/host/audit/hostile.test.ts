/** Whatever stands in the ledger, in whatever field: terminals, spreadsheets and other programs get text. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { entryLine } from "../../../src/cli/entry-line.ts";
import type { Entry } from "../../../src/domain/event.ts";
import { visibleJson } from "../../../src/domain/visible.ts";
import { csvColumns, csvHeader, csvRows } from "../../../src/host/audit/csv.ts";
import { entryFilter } from "../../../src/host/audit/filter.ts";
import { ocsfEvents, ocsfVersion } from "../../../src/host/audit/ocsf.ts";
import { anyEntry, everyType } from "./any-entry.ts";
import { ocsfFaults, schemaVersion } from "./ocsf-check.ts";

const runs = { numRuns: 40 };
const unseen = /[\p{C}\p{Zl}\p{Zp}]/u;

/** RFC 4180, read strictly. */
function parseCsv(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  let at = 0;
  while (at < text.length) {
    let cell = "";
    if (text[at] === '"') {
      for (at += 1; ; at += 1) {
        if (at >= text.length) throw new Error("a quoted cell does not end");
        if (text[at] !== '"') cell += text[at];
        else if (text[at + 1] === '"') {
          cell += '"';
          at += 1;
        } else break;
      }
      at += 1;
    } else
      while (at < text.length && text[at] !== "," && text[at] !== "\r") {
        if (text[at] === '"' || text[at] === "\n") throw new Error("a quote or line feed in a plain cell");
        cell += text[at++];
      }
    row.push(cell);
    if (text[at] === ",") at += 1;
    else if (text.startsWith("\r\n", at)) {
      rows.push(row);
      row = [];
      at += 2;
    } else throw new Error(`neither comma nor line end at ${at}`);
  }
  return rows;
}

describe.each(everyType)("an entry of type %s", (type) => {
  it("prints nothing on a terminal that it obeys, and no second entry", () => {
    fc.assert(
      fc.property(anyEntry(type), (entry) => {
        const printed = entryLine(entry);
        const [first = "", ...rest] = printed.split("\n");
        expect(printed.replaceAll("\n", "")).not.toMatch(unseen);
        expect(first).toMatch(/^ {5}7 {2}2026-01-01T00:00:00\.000Z {2}d-abcdefgh23456722 {2}/);
        for (const line of rest) expect(line).toMatch(/^ {8}\| /);
        expect(visibleJson(JSON.stringify(entry))).not.toMatch(unseen);
        expect(JSON.parse(visibleJson(JSON.stringify(entry)))).toEqual(entry);
      }),
      runs,
    );
  });

  it("is one row of CSV with every column, and no formula", () => {
    fc.assert(
      fc.property(anyEntry(type), (entry) => {
        const rows = parseCsv(csvHeader() + csvRows([entry, entry]));
        expect(rows).toHaveLength(3);
        for (const row of rows) {
          expect(row).toHaveLength(csvColumns.length);
          for (const cell of row) {
            expect(cell).not.toMatch(/^[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/);
            expect(cell).not.toMatch(unseen);
          }
        }
        const column = (name: (typeof csvColumns)[number]) => rows[1]?.[csvColumns.indexOf(name)] ?? "";
        expect(JSON.parse(column("data"))).toEqual(entry.data);
        expect([column("seq"), column("type")]).toEqual(["7", type]);
      }),
      runs,
    );
  });

  it("is events of OCSF with everything that is required, and only what is known", () => {
    fc.assert(
      fc.property(anyEntry(type), (entry) => {
        for (const event of ocsfEvents(entry)) {
          expect(ocsfFaults(JSON.parse(JSON.stringify(event)))).toEqual([]);
          expect(event).toMatchObject({ time: expect.any(Number), metadata: { version: "1.8.0", event_code: type } });
        }
      }),
      runs,
    );
  });
});

describe("data that is not in its form", () => {
  const odd = fc.oneof(
    fc.constant(null),
    fc.constant([]),
    fc.constant("x"),
    fc.jsonValue(),
    fc.constant({ proposal: 1 }),
  );
  it("is shown as it is, and stops nobody", () => {
    fc.assert(
      fc.property(fc.constantFrom(...everyType), odd, (type, data) => {
        const entry = { seq: 7, time: "2026-01-01T00:00:00.000Z", type, data, prev: "", hash: "a" } as unknown as Entry;
        expect(entryLine(entry).replaceAll("\n", "")).not.toMatch(unseen);
        expect(parseCsv(csvRows([entry]))).toHaveLength(1);
        expect(ocsfEvents(entry).flatMap((one) => ocsfFaults(JSON.parse(JSON.stringify(one))))).toEqual([]);
        entryFilter({ host: ["*"], secret: ["*"], attempt: 1, delegation: ["p-abcdefgh23456722"], denied: true })(
          entry,
        );
      }),
      { numRuns: 500 },
    );
  });
});

describe("OCSF", () => {
  const at = (type: string, data: unknown): Entry =>
    ({
      seq: 3,
      time: "2026-01-01T00:00:00.000Z",
      type,
      delegation: "d-abcdefgh23456722",
      data,
      prev: "",
      hash: "f",
    }) as Entry;
  const requested = {
    sandbox: "s-abcdefgh23456722",
    method: "POST",
    url: "https://api.example.com:8443/v1/x?y=1",
    decision: "deny",
    code: "no-rule",
    rule: "none",
    sent: 10,
    received: 20,
    milliseconds: 4,
    secret: "TOKEN",
  };

  it("tells a request as HTTP Activity", () => {
    expect(schemaVersion).toBe(ocsfVersion);
    expect(ocsfEvents(at("request", requested))[0]).toMatchObject({
      class_uid: 4002,
      category_uid: 4,
      activity_id: 6,
      type_uid: 400206,
      severity_id: 3,
      time: 1767225600000,
      status_id: 2,
      action_id: 2,
      disposition_id: 2,
      firewall_rule: { name: "none" },
      http_request: {
        http_method: "POST",
        url: { hostname: "api.example.com", port: 8443, path: "/v1/x", query_string: "y=1" },
      },
      dst_endpoint: { hostname: "api.example.com" },
      metadata: { sequence: 3, uid: "f", correlation_uid: "d-abcdefgh23456722", profiles: ["security_control"] },
      unmapped: { secret: "TOKEN" },
    });
    const [allowed] = ocsfEvents(at("request", { ...requested, decision: "allow", method: "PROPFIND", status: 207 }));
    expect(allowed).toMatchObject({
      activity_id: 99,
      activity_name: "PROPFIND",
      status_id: 1,
      http_response: { code: 207 },
    });
  });

  it("tells what ran as Process Activity, and what was decided as API Activity", () => {
    const row = { pid: 12, ppid: 1, uid: 10001, name: "npm", exit: 1, started: "2026-01-01T00:00:00Z", elapsed: 1500 };
    const rows = ocsfEvents(at("sandbox.processes", { sandbox: "s-abcdefgh23456722", processes: [row, row] }));
    expect(rows.map(({ metadata }) => (metadata as { uid: string }).uid)).toEqual(["f/0", "f/1"]);
    expect(rows[0]).toMatchObject({ type_uid: 100702, exit_code: 1, process: { pid: 12, parent_process: { pid: 1 } } });
    expect(ocsfFaults(JSON.parse(JSON.stringify(rows[0])))).toEqual([]);
    expect(ocsfEvents(at("delegation.discarded", { by: "default" }))[0]).toMatchObject({
      type_uid: 600304,
      actor: { user: { name: "default" } },
    });
    expect(ocsfEvents(at("host.stopped", { reason: "x" }))[0]).toMatchObject({ class_uid: 0, type_uid: 99 });
  });
});
