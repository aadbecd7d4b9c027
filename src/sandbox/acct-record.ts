/**
 * Records of the kernel's process accounting: `struct acct_v3` of linux/acct.h, 64 bytes each (acct(5)). Only the kernel
 * writes them; the name in one is what the process called itself. Pure.
 */
import type { ProcessRow } from "../domain/processes.ts";

export const recordBytes = 64;
/** ACCT_BYTEORDER marks a big-endian kernel; neither of our architectures is one. */
const version = 3;
const flags = { forked: 0x01, core: 0x08 } as const;
/** AHZ: the clock that times are counted in. */
const ticksPerSecond = 100;

/** A `comp_t`: 13 bits of mantissa, and 3 of an exponent to the base 8. */
function comp(value: number): number {
  return (value & 0x1fff) * 8 ** (value >> 13);
}

/** A name as text: what is not printable ASCII, and the backslash that marks it, as `\xNN`. It may hold anything but NUL. */
function nameOf(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return [...(end < 0 ? bytes : bytes.subarray(0, end))]
    .map((byte) =>
      byte >= 0x20 && byte < 0x7f && byte !== 0x5c
        ? String.fromCharCode(byte)
        : `\\x${byte.toString(16).padStart(2, "0")}`,
    )
    .join("");
}

/** One record; undefined for what is none: another version, or a float that is no number. */
export function readRecord(record: Buffer): ProcessRow | undefined {
  if (record.length !== recordBytes || record[1] !== version) return undefined;
  const flag = record[0] ?? 0;
  const status = record.readUInt32LE(4);
  const signal = status & 0x7f;
  const elapsed = Math.round((record.readFloatLE(28) * 1000) / ticksPerSecond);
  if (!Number.isSafeInteger(elapsed) || elapsed < 0) return undefined;
  return {
    pid: record.readUInt32LE(16),
    ppid: record.readUInt32LE(20),
    uid: record.readUInt32LE(8),
    name: nameOf(record.subarray(48, 64)),
    ...(signal === 0 ? { exit: (status >> 8) & 0xff } : { signal }),
    started: new Date(record.readUInt32LE(24) * 1000).toISOString(),
    elapsed,
    cpu: ((comp(record.readUInt16LE(32)) + comp(record.readUInt16LE(34))) * 1000) / ticksPerSecond,
    memory: comp(record.readUInt16LE(36)),
    forked: (flag & flags.forked) !== 0,
    core: (flag & flags.core) !== 0,
  };
}
