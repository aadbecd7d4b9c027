import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { canonicalAddress, classifyAddress, sameAddress } from "../../src/policy/address.ts";

describe("the address classifier", () => {
  test.each([
    ["0.0.0.0", "unspecified"],
    ["0.1.2.3", "this-network"],
    ["10.1.2.3", "private"],
    ["100.64.0.1", "carrier-grade-nat"],
    ["100.127.255.255", "carrier-grade-nat"],
    ["100.100.100.200", "metadata"],
    ["127.0.0.1", "loopback"],
    ["127.255.255.254", "loopback"],
    ["168.63.129.16", "metadata"],
    ["169.254.169.254", "metadata"],
    ["169.254.1.1", "link-local"],
    ["172.16.0.1", "private"],
    ["172.31.255.255", "private"],
    ["192.0.0.192", "metadata"],
    ["192.0.2.1", "documentation"],
    ["192.88.99.1", "6to4-relay"],
    ["192.168.1.1", "private"],
    ["198.18.0.1", "benchmarking"],
    ["198.19.255.255", "benchmarking"],
    ["203.0.113.9", "documentation"],
    ["224.0.0.1", "multicast"],
    ["239.255.255.250", "multicast"],
    ["240.0.0.1", "reserved"],
    ["255.255.255.255", "broadcast"],
    ["::", "unspecified"],
    ["::1", "loopback"],
    ["0:0:0:0:0:0:0:1", "loopback"],
    ["::ffff:127.0.0.1", "ipv4-mapped loopback"],
    ["::ffff:7f00:1", "ipv4-mapped loopback"],
    ["::ffff:8.8.8.8", "ipv4-mapped"],
    ["::ffff:0:8.8.8.8", "ipv4-translated"],
    ["::127.0.0.1", "ipv4-compatible loopback"],
    ["64:ff9b::8.8.8.8", "nat64"],
    ["64:ff9b::a00:1", "nat64 private"],
    ["64:ff9b:1::1", "nat64-local"],
    ["100::1", "discard"],
    ["2001::1", "teredo"],
    ["2001:2::1", "benchmarking"],
    ["2001:20::1", "reserved"],
    ["2001:db8::1", "documentation"],
    ["2002:7f00:1::", "6to4"],
    ["3fff::1", "documentation"],
    ["fc00::1", "unique-local"],
    ["fd00:ec2::254", "metadata"],
    ["fe80::1", "link-local"],
    ["fec0::1", "site-local"],
    ["ff02::1", "multicast"],
    ["4000::1", "reserved"],
    ["5f00::1", "reserved"],
    ["2a00:1450::5efe:10.0.0.1", "isatap"],
  ])("%s is %s", (address, kind) => {
    expect(classifyAddress(address)).toEqual({ ok: false, kind });
  });

  test.each([
    "0x7f.1",
    "0177.0.0.1",
    "010.8.8.8",
    "2130706433",
    "127.1",
    "1.2.3",
    "1.2.3.4.5",
    "256.1.1.1",
    "fe80::1%eth0",
    "[::1]",
    "::1 ",
    "",
    "a",
    "1:2",
    "::ffff:08.8.8.8",
    "１.1.1.1",
    "8.8.8.8/32",
  ])("%j has no plain spelling", (address) => {
    expect(classifyAddress(address)).toEqual({ ok: false, kind: "malformed" });
  });

  test.each([
    ["8.8.8.8", "8.8.8.8"],
    ["172.32.0.1", "172.32.0.1"],
    ["100.128.0.1", "100.128.0.1"],
    ["11.0.0.1", "11.0.0.1"],
    ["2606:4700:4700:0:0:0:0:1111", "2606:4700:4700::1111"],
    ["2A00:1450::1", "2a00:1450::1"],
  ])("%s is public, and %s", (address, canonical) => {
    expect(classifyAddress(address)).toEqual({ ok: true, canonical });
  });

  test("two spellings are one address by bytes; a mapped form is another address", () => {
    expect(sameAddress("2606:4700::1", "2606:4700:0:0::1")).toBe(true);
    expect(sameAddress("10.0.0.1", "10.0.0.1")).toBe(true);
    expect(sameAddress("10.0.0.1", "::ffff:10.0.0.1")).toBe(false);
    expect(sameAddress("::10.0.0.1", "::ffff:10.0.0.1")).toBe(false);
    expect(sameAddress("::ffff:10.0.0.1", "::ffff:a00:1")).toBe(true);
    expect(sameAddress("x", "x")).toBe(false);
  });

  test("no IPv6 form of a private IPv4 address is public, and the canonical form is a fixed point", () => {
    fc.assert(
      fc.property(fc.ipV6(), fc.ipV4(), (six, four) => {
        for (const address of [six, four]) {
          const canonical = canonicalAddress(address);
          if (canonical === undefined) continue;
          expect(canonicalAddress(canonical)).toBe(canonical);
          expect(classifyAddress(canonical)).toEqual(classifyAddress(address));
        }
        for (const prefix of ["::ffff:", "::", "64:ff9b::"]) expect(classifyAddress(`${prefix}${four}`).ok).toBe(false);
      }),
    );
  });
});
