/** The decoded segments of a path, or undefined where one cannot be decoded. An empty path and `/` have none. */
export function segmentsOf(path: string): string[] | undefined {
  const parts = path.split("/").filter((part) => part !== "");
  try {
    return parts.map((part) => decodeURIComponent(part));
  } catch {
    // A stray `%`: no resource has such a name.
    return undefined;
  }
}

export type Part = { kind: "fixed"; text: string } | { kind: "param"; name: string } | { kind: "rest"; name: string };

/** The parts of a pattern such as `/users/:id`. Throws where a rest is not the last one. */
export function partsOf(pattern: string): Part[] {
  if (!pattern.startsWith("/")) throw new TypeError(`a pattern begins with a slash: ${pattern}`);
  const parts = pattern
    .split("/")
    .filter((part) => part !== "")
    .map((part): Part => {
      if (part.startsWith(":")) return { kind: "param", name: part.slice(1) };
      if (part.startsWith("*")) return { kind: "rest", name: part.slice(1) };
      return { kind: "fixed", text: part };
    });
  const rest = parts.findIndex((part) => part.kind === "rest");
  if (rest !== -1 && rest !== parts.length - 1) throw new TypeError(`a rest is the last part: ${pattern}`);
  return parts;
}
