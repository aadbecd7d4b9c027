/** Whether two path patterns can match one path. Exact for the language of `glob.ts`; pure. */
import { compileGlob, globProblem } from "./glob.ts";

/** Whether some path is matched by both patterns. A broken pattern meets nothing. */
export function patternsMeet(one: string, other: string): boolean {
  if (globProblem(one) !== undefined || globProblem(other) !== undefined) return false;
  return compileGlob(one).some((a) => compileGlob(other).some((b) => segmentsMeet(a.segments, b.segments)));
}

/** Which of two lists' pairs can match one path, as `[of the first, of the second]`; undefined where none can. */
export function meetingPatterns(ones: readonly string[], others: readonly string[]): [string, string] | undefined {
  for (const one of ones) {
    const other = others.find((pattern) => patternsMeet(one, pattern));
    if (other !== undefined) return [one, other];
  }
  return undefined;
}

/** `**` at the end takes at least one segment, elsewhere any number. */
function segmentsMeet(a: readonly string[], b: readonly string[]): boolean {
  return walk(expandEnd(a), expandEnd(b), (part) => part === "**", segmentMeets);
}

const expandEnd = (segments: readonly string[]) => (segments.at(-1) === "**" ? [...segments, "*"] : segments);

function segmentMeets(a: string, b: string): boolean {
  return walk(pieces(a), pieces(b), (piece) => piece === "*", characterMeets);
}

/** A segment as characters, sets, `?` and `*`. */
const pieces = (segment: string): string[] => segment.match(/\[[^\]]*\]|[\s\S]/gu) ?? [];

const letters = [..."abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-*("];

function characterMeets(a: string, b: string): boolean {
  if (a === "?" || b === "?") return true;
  const [left, right] = [members(a), members(b)];
  return left.some((letter) => right.includes(letter));
}

function members(piece: string): readonly string[] {
  if (piece.length === 1 || !piece.startsWith("[")) return [piece];
  if (piece === "[*]" || piece === "[(]") return [piece.charAt(1)];
  const set = new RegExp(`^${piece}$`);
  return letters.filter((letter) => set.test(letter));
}

/** Whether two lists of parts, in which stars take any number of parts, can stand for one list. Quadratic. */
function walk<T>(
  a: readonly T[],
  b: readonly T[],
  isStar: (part: T) => boolean,
  meets: (x: T, y: T) => boolean,
): boolean {
  // reach[j]: whether what is left of `a` from i and of `b` from j can meet; filled from the ends.
  let below: boolean[] = [];
  for (let i = a.length; i >= 0; i--) {
    const row: boolean[] = new Array(b.length + 1).fill(false);
    for (let j = b.length; j >= 0; j--) {
      const x = a[i];
      const y = b[j];
      if (x === undefined && y === undefined) row[j] = true;
      else if (x !== undefined && isStar(x)) row[j] = (below[j] ?? false) || (y !== undefined && (row[j + 1] ?? false));
      else if (y !== undefined && isStar(y)) row[j] = (row[j + 1] ?? false) || (x !== undefined && (below[j] ?? false));
      else if (x !== undefined && y !== undefined) row[j] = meets(x, y) && (below[j + 1] ?? false);
    }
    below = row;
  }
  return below[0] ?? false;
}
