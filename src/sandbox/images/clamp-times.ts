/** Times in a tar stream, written over in place: every other byte stays as the engine wrote it. */
import { Transform } from "node:stream";

const block = 512;

/**
 * A stream that takes a tar archive (POSIX.1-1988 ustar and its pax extension) and gives the same with no modification
 * time after `latest`, in seconds. It changes header fields only; a time in a pax record would stay.
 */
export function clampTimes(latest: number): Transform {
  let head = Buffer.alloc(0);
  let body = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      let at = 0;
      while (at < chunk.length) {
        if (body > 0) {
          const taken = Math.min(body, chunk.length - at);
          this.push(chunk.subarray(at, at + taken));
          body -= taken;
          at += taken;
          continue;
        }
        const taken = Math.min(block - head.length, chunk.length - at);
        head = Buffer.concat([head, chunk.subarray(at, at + taken)]);
        at += taken;
        if (head.length < block) continue;
        body = Math.ceil(sizeOf(head) / block) * block;
        this.push(clamped(head, latest));
        head = Buffer.alloc(0);
      }
      done();
    },
    flush(done) {
      done(head.length > 0 || body > 0 ? new Error("the archive of a layer is cut short") : null);
    },
  });
}

function clamped(head: Buffer, latest: number): Buffer {
  // Two blocks of zeros end an archive.
  if (head.every((byte) => byte === 0) || numberIn(head, 136, 12) <= latest) return head;
  head.write(`${latest.toString(8).padStart(11, "0")}\0`, 136, "latin1");
  // The checksum is over the header with the checksum's own field as blanks.
  head.fill(0x20, 148, 156);
  const sum = head.reduce((total, byte) => total + byte, 0);
  head.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return head;
}

/** Links, directories and devices have no body, whatever their size field says. */
function sizeOf(head: Buffer): number {
  const type = String.fromCharCode(head[156] ?? 0);
  return "123456".includes(type) ? 0 : numberIn(head, 124, 12);
}

/** Octal digits, or base 256 where the first bit is set (GNU). */
function numberIn(head: Buffer, start: number, length: number): number {
  const field = head.subarray(start, start + length);
  if (((field[0] ?? 0) & 0x80) === 0)
    return Number.parseInt(field.toString("latin1").replace(/\0.*/, "").trim() || "0", 8);
  return field.reduce((total, byte, index) => total * 256 + (index === 0 ? byte & 0x7f : byte), 0);
}
