export type Query = ReadonlyMap<string, readonly string[]>;

/** The parameters of a query string (with or without its `?`), each with all its values in order. */
export function parseQuery(text: string): Query {
  const query = new Map<string, string[]>();
  for (const pair of text.replace(/^\?/, "").split("&")) {
    if (pair === "") continue;
    const at = pair.indexOf("=");
    const name = decode(at === -1 ? pair : pair.slice(0, at));
    const value = at === -1 ? "" : decode(pair.slice(at + 1));
    const values = query.get(name);
    if (values) values.push(value);
    else query.set(name, [value]);
  }
  return query;
}

function decode(text: string): string {
  const spaced = text.replaceAll("+", " ");
  try {
    return decodeURIComponent(spaced);
  } catch {
    // As browsers do: what cannot be decoded stands for itself.
    return spaced;
  }
}
