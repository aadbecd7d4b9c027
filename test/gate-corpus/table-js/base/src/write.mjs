/** A field as it is written: quoted where it holds a comma, a quote or a line feed. */
export function writeField(value) {
  const text = String(value);
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Rows as comma-separated values, each with a line feed at its end. */
export function writeRows(rows) {
  return rows.map((row) => `${row.map(writeField).join(",")}\n`).join("");
}
