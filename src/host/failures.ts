/** How often a token has failed from where: past a bound nobody is told more than that it was too often. Pure but for its memory. */

/** Failures from one place in one window before it is told to wait. */
const most = 20;
const window = 60_000;
/** Places that are remembered; the oldest goes first. */
const mostPlaces = 10_000;

export interface Failures {
  /** Counts one; gives how many there were in this window. */
  count(address: string, now: number): number;
}

/** Whether so many are too many. */
export const isTooOften = (count: number): boolean => count > most;

export function openFailures(): Failures {
  const places = new Map<string, { since: number; count: number }>();
  return {
    count(address, now) {
      const place = placeOf(address);
      const there = places.get(place);
      const known = there && now - there.since < window ? there : { since: now, count: 0 };
      known.count += 1;
      places.delete(place);
      places.set(place, known);
      for (const oldest of places.size > mostPlaces ? [...places.keys()].slice(0, 1) : []) places.delete(oldest);
      return known.count;
    },
  };
}

/** One customer's addresses: an IPv4 address alone, and the first 64 bits of an IPv6 one (RFC 6177). */
function placeOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined || !address.includes(":")) return mapped ?? address;
  const [head = "", tail] = address.split("::");
  const left = head.split(":").filter(Boolean);
  const right = tail?.split(":").filter(Boolean) ?? [];
  const middle =
    tail === undefined ? [] : Array.from({ length: Math.max(0, 8 - left.length - right.length) }, () => "0");
  return [...left, ...middle, ...right].slice(0, 4).join(":");
}
