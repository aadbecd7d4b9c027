/** Which address a name may be connected at: all of its addresses are checked, each time, by the rule that decided. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { createResolver } from "../../src/gateway/resolve.ts";
import { classifyAddress, sameAddress } from "../../src/policy/address.ts";

const over = (answers: Record<string, string[][]>, now = () => 0) => {
  const asked: string[] = [];
  const resolver = createResolver(
    { classifyAddress, sameAddress },
    async (host) => {
      asked.push(host);
      const turn = answers[host];
      const found = turn?.length === 1 ? turn[0] : turn?.shift();
      if (!found) throw new Error("ENOTFOUND");
      return found.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));
    },
    now,
  );
  return {
    asked,
    resolve: (host: string, addresses: string[] = [], only = false) =>
      resolver.resolve(host, { addresses, only }, "rule"),
  };
};
const code = (found: { ok: boolean; denial?: { code: string } }) => (found.ok ? "ok" : found.denial?.code);

test("one private address among public ones refuses the name", async () => {
  const { resolve } = over({
    good: [["8.8.8.8", "2606:4700::1111"]],
    mixed: [["8.8.8.8", "10.0.0.1"]],
    last: [["8.8.8.8", "8.8.4.4", "::1"]],
    metadata: [["169.254.169.254"]],
    mapped: [["::ffff:8.8.8.8"]],
    nat64: [["64:ff9b::808:808"]],
    zone: [["fe80::1%eth0"]],
    none: [[]],
  });
  expect(await resolve("good")).toEqual({ ok: true, address: "8.8.8.8" });
  for (const host of ["mixed", "last", "metadata", "mapped", "nat64", "zone"])
    expect([host, code(await resolve(host))]).toEqual([host, "address-refused"]);
  expect(code(await resolve("none"))).toBe("resolve-failed");
  expect(code(await resolve("unknown"))).toBe("resolve-failed");
});

test("an address that the rule names is allowed, exactly that one, in every spelling of its own bytes", async () => {
  const { resolve } = over({
    one: [["10.0.0.1"]],
    two: [["10.0.0.1", "10.0.0.2"]],
    six: [["fd00:0:0::1"]],
    mapped: [["::ffff:10.0.0.1"]],
  });
  expect(code(await resolve("one", ["10.0.0.1"]))).toBe("ok");
  expect(code(await resolve("one", ["10.0.0.2"]))).toBe("address-refused");
  expect(code(await resolve("two", ["10.0.0.1"]))).toBe("address-refused");
  expect(code(await resolve("two", ["10.0.0.1", "10.0.0.2"]))).toBe("ok");
  expect(code(await resolve("six", ["fd00::1"]))).toBe("ok");
  expect(code(await resolve("mapped", ["10.0.0.1"]))).toBe("address-refused");
});

test("pinned to what the rule names, not even a public address will do", async () => {
  const { resolve } = over({ dev: [["127.0.0.1"]], moved: [["8.8.8.8"]], both: [["127.0.0.1", "8.8.8.8"]] });
  expect(code(await resolve("dev", ["127.0.0.1"], true))).toBe("ok");
  expect(code(await resolve("moved", ["127.0.0.1"], true))).toBe("address-refused");
  expect(code(await resolve("both", ["127.0.0.1"], true))).toBe("address-refused");
  expect(code(await resolve("moved", [], true))).toBe("address-refused");
  expect(code(await resolve("moved", ["127.0.0.1"]))).toBe("ok");
});

test("a literal is checked without being looked up", async () => {
  const { resolve, asked } = over({});
  expect(await resolve("8.8.8.8")).toEqual({ ok: true, address: "8.8.8.8" });
  for (const literal of [
    "127.0.0.1",
    "::1",
    "0.0.0.0",
    "::ffff:127.0.0.1",
    "fe80::1",
    "224.0.0.1",
    "169.254.169.254",
  ]) {
    expect([literal, code(await resolve(literal))]).toEqual([literal, "address-refused"]);
  }
  expect(code(await resolve("127.0.0.1", ["127.0.0.1"]))).toBe("ok");
  expect(asked).toEqual([]);
});

test("rebinding: an answer is used as it was checked, and checked again when it is asked again", async () => {
  let time = 0;
  const { resolve, asked } = over({ flip: [["8.8.8.8"], ["127.0.0.1"], ["8.8.4.4"]] }, () => time);
  expect(await resolve("flip")).toEqual({ ok: true, address: "8.8.8.8" });
  expect(await resolve("flip")).toEqual({ ok: true, address: "8.8.8.8" });
  expect(asked).toHaveLength(1);
  time = 60_000;
  expect(code(await resolve("flip"))).toBe("address-refused");
  // What is kept is the lookup, not the verdict: another rule's addresses judge it anew.
  expect(code(await resolve("flip", ["127.0.0.1"]))).toBe("ok");
  time = 120_000;
  expect(await resolve("flip")).toEqual({ ok: true, address: "8.8.4.4" });
});

test("a resolver that is down denies, and is asked again", async () => {
  let up = false;
  const resolver = createResolver({ classifyAddress, sameAddress }, async () => {
    if (!up) throw new Error("EAI_AGAIN");
    return [{ address: "8.8.8.8", family: 4 }];
  });
  expect(code(await resolver.resolve("name", { addresses: [] }, "rule"))).toBe("resolve-failed");
  up = true;
  expect(code(await resolver.resolve("name", { addresses: [] }, "rule"))).toBe("ok");
});

test("two lookups at once, and no more: a slow name does not take every thread", async () => {
  let open = 0;
  let most = 0;
  const resolver = createResolver({ classifyAddress, sameAddress }, async () => {
    open += 1;
    most = Math.max(most, open);
    await new Promise((resolve) => setTimeout(resolve, 20));
    open -= 1;
    return [{ address: "8.8.8.8", family: 4 }];
  });
  const all = await Promise.all(
    Array.from({ length: 12 }, (_, index) => resolver.resolve(`name-${index % 6}`, { addresses: [] }, "rule")),
  );
  expect(all.every((found) => found.ok)).toBe(true);
  expect(most).toBe(2);
});

test("no set of answers that holds a refused address is allowed", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.oneof(fc.ipV4(), fc.ipV6()), { minLength: 1, maxLength: 5 }), async (addresses) => {
      const { resolve } = over({ name: [addresses] });
      const found = await resolve("name");
      expect(found.ok).toBe(addresses.every((address) => classifyAddress(address).ok));
    }),
    { numRuns: 300 },
  );
});
