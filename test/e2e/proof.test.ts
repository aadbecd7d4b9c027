/** A proof pack of what really ran: exported from a host, checked with nothing but the repository, and by hand. */
import { execFileSync } from "node:child_process";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Claim } from "../../src/domain/proof.ts";
import { run } from "./cli.ts";
import { openHost, type TestHost } from "./daemon.ts";
import { part, parts, planOf, planTurn, tested } from "./plan-turn.ts";

let host: TestHost;
let out: string;
beforeAll(async () => {
  host = await openHost({ policies: { tested } });
  out = join(host.directory, "b");
  copyFileSync(join(host.state, "keys/host.pub"), join(out, "host.pub"));
}, 600_000);
afterAll(() => host?.close());

interface Said {
  ok: boolean;
  claims: Claim[];
}

/** As somebody has it who has no state directory and no daemon. */
async function verify(file: string, ...more: string[]) {
  const said = await run(["audit", "verify", file, ...more, "--json"], {
    env: { SALLYPORT_STATE: "/nonexistent", SALLYPORT_SOCKET: "/nonexistent.sock" },
    seconds: 100,
  });
  return { code: said.code, said };
}
const failures = (said: { json<T>(): T }) =>
  said
    .json<Said>()
    .claims.filter(({ outcome }) => outcome === "failed")
    .map(({ claim, why }) => `${claim}: ${why}`);

describe("a pack of a delegation", { timeout: 240_000 }, () => {
  it("is proved with the repository and the key, and is refused with others", async () => {
    const repository = host.repository();
    const d = await host.turn(repository);
    expect((await host.cli("land", d.id, "--onto", "fix")).code).toBe(0);
    const file = join(out, "landed.json");
    const exported = await host.cli("audit", "export", d.id, "--out", file);
    expect(exported.code, exported.stdout + exported.stderr).toBe(0);

    const whole = await verify(file, "--repo", repository.path, "--key", join(out, "host.pub"));
    expect([whole.code, failures(whole.said)]).toEqual([0, []]);
    const proved = whole.said.json<Said>().claims.filter(({ outcome }) => outcome === "proved");
    for (const name of [/^key$/, / judgement$/, /attempt 1 tree$/, /^commit \w+ tree$/, /Sallyport-Approval$/])
      expect(
        proved.some(({ claim }) => name.test(claim)),
        String(name),
      ).toBe(true);

    // A file is not written over, and one that was touched fails.
    expect((await host.cli("audit", "export", d.id, "--out", file)).code).toBe(2);
    const text = readFileSync(file, "utf8");
    const at = text.indexOf('"payload":"') + 200;
    const touched = join(out, "touched.json");
    writeFileSync(touched, `${text.slice(0, at)}${text[at] === "A" ? "B" : "A"}${text.slice(at + 1)}`);
    expect([1, 2]).toContain((await verify(touched)).code);
    writeFileSync(touched, text.slice(0, text.length / 2));
    const cut = await verify(touched);
    expect([cut.code, cut.said.error().code]).toEqual([2, "proof-invalid"]);
    const elsewhere = await verify(file, "--repo", host.repository(undefined, { "README.md": "other\n" }).path);
    expect(elsewhere.code).toBe(1);
    expect(failures(elsewhere.said).join("\n")).toContain("is not in this repository");

    // By hand, as the page says.
    const script = `set -e
jq -r .payload landed.json | base64 -d > pack.json
jq -j .host.publicKey pack.json > own.pub && cmp own.pub host.pub
type=$(jq -r .payloadType landed.json)
{ printf 'DSSEv1 %d %s %d ' "\${#type}" "$type" "$(stat -c %s pack.json)"; cat pack.json; } > signed
jq -r '.signatures[0].sig' landed.json | base64 -d > sig
openssl pkeyutl -verify -pubin -inkey host.pub -rawin -in signed -sigfile sig`;
    const tools = ["jq", "openssl"].every((tool) => {
      try {
        execFileSync("sh", ["-c", `command -v ${tool}`]);
        return true;
      } catch {
        return false;
      }
    });
    if (!tools) console.warn("jq or openssl is missing: the page's commands were not run");
    else expect(execFileSync("sh", ["-c", script], { cwd: out, encoding: "utf8" })).toContain("Verified Successfully");
  });

  it("tells a rejection as what it was", async () => {
    const repository = host.repository();
    const d = await host.turn(repository, { intent: "verdict reject", budget: { attempts: 1 } });
    expect(d.state).toBe("rejected");
    const file = join(out, "rejected.json");
    await host.cli("audit", "export", d.id, "--out", file);
    const { code, said } = await verify(file, "--repo", repository.path, "--key", join(out, "host.pub"));
    expect([code, failures(said)]).toEqual([0, []]);
    expect(said.json<Said>().claims.find(({ claim }) => / judgement$/.test(claim))).toMatchObject({
      outcome: "proved",
      why: "rejected again",
    });
  });

  it("without FILE the ledger is verified, as ever", async () => {
    expect((await host.cli("audit", "verify")).json()).toMatchObject({ ok: true });
    expect((await host.cli("audit", "verify", "--repo", "/tmp")).error().code).toBe("usage");
    expect((await host.cli("audit", "export", "d-aaaaaaaaaaaaaaaa")).error().code).toBe("not-found");
  });
});

describe("a pack of a plan", { timeout: 240_000 }, () => {
  it("holds its parts, whose approvals the whole names", async () => {
    const repository = host.repository(undefined, parts);
    const set = (name: string, from: string, to: string) => `sed -i 's|${from}|${to}|' src/${name}.js`;
    const view = await planTurn(
      host,
      repository,
      planOf([
        part("B1", { instructions: set("one", "1;", "1; //B1"), writable: ["src/one.js"] }),
        part("B2", { after: ["B1"], instructions: set("two", "2;", "2; //B2"), writable: ["src/two.js"] }),
      ]),
    );
    expect(view.state).toBe("approved");
    expect((await host.cli("land", view.id)).code).toBe(0);
    for (const [name, id] of [
      ["plan", view.id],
      ["whole", view.combined.delegation],
    ] as const) {
      const file = join(out, `${name}.json`);
      expect((await host.cli("audit", "export", id, "--out", file)).code).toBe(0);
      const { code, said } = await verify(file, "--repo", repository.path, "--key", join(out, "host.pub"));
      expect([code, failures(said)], name).toEqual([0, []]);
      const { claims } = said.json<Said>();
      expect(claims.filter(({ claim }) => /^approval \w+ signature$/.test(claim))).toHaveLength(3);
      expect(claims.find(({ claim }) => /^approval \w+ members$/.test(claim))?.outcome).toBe("proved");
      // What a part started from was never in the repository.
      expect(
        claims.some(({ outcome, why }) => outcome === "not-provable" && why.includes("not in this repository")),
      ).toBe(true);
    }
  });
});
