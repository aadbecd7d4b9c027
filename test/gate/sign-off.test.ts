import { generateKeyPairSync } from "node:crypto";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ApprovalPredicate, Envelope } from "../../src/domain/approval.ts";
import { canonicalJson } from "../../src/domain/canonical.ts";
import { digestValue } from "../../src/gate/digest.ts";
import { type HostKey, loadHostKey, loadHostPublicKey } from "../../src/gate/keys.ts";
import { checkApproval, signApproval } from "../../src/gate/sign-off.ts";
import { digest, oid } from "./samples.ts";

let folder: string;
let key: HostKey;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sallyport-keys-"));
  key = await loadHostKey(join(folder, "own"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const image = (digit: string) => `sha256:${digest(digit)}`;
const facts: Omit<ApprovalPredicate, "issued" | "expires" | "replaces"> = {
  repository: "/srv/repo",
  ref: "refs/heads/main",
  delegation: "d-aaaaaaaaaaaaaaaa",
  attempt: 1,
  base: oid("0"),
  tree: oid("1"),
  brief: digest("2"),
  patch: digest("3"),
  testReport: digest("4"),
  verdict: digest("5"),
  policy: digest("6"),
  images: { executor: image("7"), tester: image("8"), verifier: image("9") },
  verifier: { harness: "skeptic", image: image("9") },
};
const issued = "2026-03-01T12:00:00.000Z";
const expires = "2026-03-08T12:00:00.000Z";
const predicate: ApprovalPredicate = { ...facts, issued, expires };
const during = new Date("2026-03-02T00:00:00Z");
const refusal = (envelope: Envelope, expected = facts, now = during, by: { keyid: string } = key) => {
  try {
    checkApproval(envelope, by as HostKey, expected, now);
  } catch (error) {
    return (error as Error & { code: string }).code === "approval-invalid"
      ? (error as Error).message
      : `thrown: ${String(error)}`;
  }
  return "held";
};

describe("an approval", () => {
  test("holds for exactly what it names", () => {
    const { envelope, digest: name } = signApproval(predicate, key);
    expect(checkApproval(envelope, key, facts, during)).toEqual(predicate);
    expect(name).toBe(digestValue(envelope));
    expect(signApproval(predicate, key)).toEqual({ envelope, digest: name });
  });

  const other: typeof facts = {
    repository: "/srv/other",
    ref: "refs/heads/release",
    delegation: "d-bbbbbbbbbbbbbbbb",
    attempt: 2,
    base: oid("a"),
    tree: oid("b"),
    brief: digest("a"),
    patch: digest("a"),
    testReport: digest("a"),
    verdict: digest("a"),
    policy: digest("a"),
    images: { ...facts.images, executor: image("a") },
    verifier: { ...facts.verifier, harness: "friend" },
  };
  test.each(Object.keys(other) as (keyof typeof facts)[])("is refused by name where %s is another", (name) => {
    const { envelope } = signApproval(predicate, key);
    expect(refusal(envelope, { ...facts, [name]: other[name] })).toContain(`${name} is `);
    const changed = signApproval({ ...predicate, [name]: other[name] }, key).envelope;
    expect(refusal(changed)).toContain(`${name} is `);
  });

  test.each(["executor", "tester", "verifier"] as const)("is refused where the image of the %s is another", (role) => {
    const { envelope } = signApproval(predicate, key);
    expect(refusal(envelope, { ...facts, images: { ...facts.images, [role]: image("a") } })).toContain("images is");
  });

  test("ends at its time, not before", () => {
    const { envelope } = signApproval(predicate, key);
    expect(refusal(envelope, facts, new Date(Date.parse(expires) - 1))).toBe("held");
    expect(refusal(envelope, facts, new Date(expires))).toContain("expired");
  });

  test("of another key is none, also under this key's id", async () => {
    const strange = await loadHostKey(join(folder, "strange"));
    expect(refusal(signApproval(predicate, strange).envelope)).toContain("no signature");
    const { envelope } = signApproval(predicate, strange);
    const posing = { ...envelope, signatures: envelope.signatures.map((s) => ({ ...s, keyid: key.keyid })) };
    expect(refusal(posing)).toContain("no signature");
    const both = {
      ...envelope,
      signatures: [...envelope.signatures, ...signApproval(predicate, key).envelope.signatures],
    };
    expect(refusal(both)).toBe("held");
  });

  test("with another payload, or the same one written another way, has no signature", () => {
    const { envelope } = signApproval(predicate, key);
    const written = (text: string) => ({ ...envelope, payload: Buffer.from(text).toString("base64") });
    const text = Buffer.from(envelope.payload, "base64").toString();
    expect(refusal(written(JSON.stringify(JSON.parse(text), null, 1)))).toContain("no signature");
    expect(refusal(written(text.replace(facts.tree, oid("e"))))).toContain("no signature");
    expect(refusal(written(`${text} `))).toContain("no signature");
    expect(refusal({ ...envelope, payload: ` ${envelope.payload}` })).toContain("canonical base64");
    expect(refusal({ ...envelope, payload: envelope.payload.replace(/=+$/, "").replaceAll("+", "-") })).toMatch(
      /canonical base64|held/,
    );
  });

  test("is no signature of another payload type, not even this key's own", () => {
    const payload = Buffer.from(canonicalJson({ anything: 1 }));
    const type = "application/x-ledger-head";
    const bytes = Buffer.concat([Buffer.from(`DSSEv1 ${type.length} ${type} ${payload.length} `), payload]);
    const signatures = [{ keyid: key.keyid, sig: key.sign(bytes).toString("base64") }];
    const head = { payloadType: type, payload: payload.toString("base64"), signatures } as unknown as Envelope;
    expect(refusal(head)).toContain("payload type");
    expect(refusal({ ...head, payloadType: "application/vnd.in-toto+json" })).toContain("no signature");
    const { envelope } = signApproval(predicate, key);
    expect(refusal({ ...envelope, payloadType: type } as unknown as Envelope)).toContain("payload type");
  });

  test("signed, yet not one: another subject, another statement, no JSON", () => {
    const sealed = (payload: string) => {
      const type = "application/vnd.in-toto+json";
      const bytes = Buffer.from(`DSSEv1 ${type.length} ${type} ${Buffer.byteLength(payload)} ${payload}`);
      const signatures = [{ keyid: key.keyid, sig: key.sign(bytes).toString("base64") }];
      return { payloadType: type, payload: Buffer.from(payload).toString("base64"), signatures } as Envelope;
    };
    const statement = JSON.parse(Buffer.from(signApproval(predicate, key).envelope.payload, "base64").toString());
    expect(refusal(sealed(canonicalJson(statement)))).toBe("held");
    expect(refusal(sealed("no json"))).toContain("not JSON");
    const subject = [{ name: facts.repository, digest: { gitTree: oid("e") } }];
    expect(refusal(sealed(canonicalJson({ ...statement, subject })))).toContain("subject");
    expect(refusal(sealed(canonicalJson({ ...statement, predicateType: "https://example.org/v1" })))).toContain(
      "malformed",
    );
    expect(refusal(sealed(canonicalJson({ ...statement, predicate: { ...predicate, more: 1 } })))).toContain(
      "malformed",
    );
  });
});

describe("the host's key", () => {
  const fresh = async (name: string) => {
    const directory = join(folder, name);
    return { directory, key: await loadHostKey(directory) };
  };

  test("is made once, readable by its owner alone; the public half checks what it signs", async () => {
    const { directory, key: made } = await fresh("made");
    expect((await stat(join(directory, "host.key"))).mode & 0o777).toBe(0o600);
    expect((await loadHostKey(directory)).keyid).toBe(made.keyid);
    const half = await loadHostPublicKey(directory);
    expect(half.keyid).toBe(made.keyid);
    expect(half.verify(Buffer.from("x"), made.sign(Buffer.from("x")))).toBe(true);
    expect(half.verify(Buffer.from("y"), made.sign(Buffer.from("x")))).toBe(false);
    expect((await readdir(directory)).sort()).toEqual(["host.key", "host.pub"]);
  });

  test.each([0o640, 0o604, 0o644, 0o660])("is refused with mode %o", async (mode) => {
    const { directory } = await fresh(`mode-${mode}`);
    await chmod(join(directory, "host.key"), mode);
    await expect(loadHostKey(directory)).rejects.toMatchObject({
      code: "control-missing",
      message: expect.stringContaining("can be read by others"),
    });
    await chmod(join(directory, "host.key"), 0o600);
    await expect(loadHostKey(directory)).resolves.toBeDefined();
  });

  test("a crash before the public half was written is mended, and so is one of another key", async () => {
    const { directory, key: made } = await fresh("crashed");
    await rm(join(directory, "host.pub"));
    expect((await loadHostKey(directory)).keyid).toBe(made.keyid);
    expect((await loadHostPublicKey(directory)).keyid).toBe(made.keyid);
    await writeFile(join(directory, "host.pub"), await readFile(join(folder, "own", "host.pub")));
    expect((await loadHostKey(directory)).keyid).toBe(made.keyid);
    expect((await loadHostPublicKey(directory)).keyid).toBe(made.keyid);
    await writeFile(join(directory, "host.pub"), "");
    await loadHostKey(directory);
    expect((await loadHostPublicKey(directory)).keyid).toBe(made.keyid);
  });

  test("a crash while the private half was written leaves none, and the next start makes one", async () => {
    const directory = join(folder, "half");
    await mkdir(directory);
    await writeFile(join(directory, ".host.key.0011223344556677"), "-----BEGIN PRIV", { mode: 0o600 });
    expect((await loadHostKey(directory)).keyid).toMatch(/^[0-9a-f]{64}$/);
  });

  test("what is no ed25519 key, and a link, are refused and not written over", async () => {
    const { directory, key: made } = await fresh("wrong");
    const file = join(directory, "host.key");
    const good = await readFile(file);
    const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ type: "pkcs8", format: "pem" });
    for (const content of ["", "no key", rsa]) {
      await writeFile(file, content);
      await expect(loadHostKey(directory)).rejects.toMatchObject({ code: "control-missing" });
      expect(await readFile(file, "utf8")).toBe(content);
    }
    await rm(file);
    await writeFile(join(folder, "elsewhere.key"), good, { mode: 0o600 });
    await symlink(join(folder, "elsewhere.key"), file);
    await expect(loadHostKey(directory)).rejects.toMatchObject({ code: "control-missing" });
    await rm(file);
    await writeFile(file, good, { mode: 0o600 });
    expect((await loadHostKey(directory)).keyid).toBe(made.keyid);
  });
});
