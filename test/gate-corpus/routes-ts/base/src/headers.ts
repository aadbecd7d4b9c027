export interface HeaderMap {
  get(name: string): string | undefined;
  has(name: string): boolean;
  names(): string[];
}

/** Headers by name, whatever its case; values of one name are joined with a comma, as RFC 9110 says. */
export function headerMap(entries: Iterable<readonly [string, string]>): HeaderMap {
  const values = new Map<string, string>();
  for (const [name, value] of entries) {
    const key = name.toLowerCase();
    const before = values.get(key);
    values.set(key, before === undefined ? value : `${before}, ${value}`);
  }
  return {
    get: (name) => values.get(name.toLowerCase()),
    has: (name) => values.has(name.toLowerCase()),
    names: () => [...values.keys()].sort(),
  };
}
