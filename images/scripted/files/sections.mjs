/**
 * A script with sections, `#!attempt 1`, `#!attempt 2`, ...: what runs on the given attempt. Lines before the first
 * section are common to all; an attempt without a section of its own runs the last one before it. A section with a name,
 * such as `#!report` or `#!mend`, runs instead of those where it is asked for, after the common lines; without one, nothing does.
 */
export function scriptFor(instructions, attempt, name) {
  const common = [];
  const sections = new Map();
  let current = common;
  for (const line of instructions.split(/\r?\n/)) {
    const mark = /^#!(?:attempt\s+([1-9][0-9]*)|(report|mend))\s*$/.exec(line);
    if (mark) {
      current = [];
      sections.set(mark[2] ?? Number(mark[1]), current);
    } else {
      current.push(line);
    }
  }
  if (name !== undefined) return sections.has(name) ? `${[...common, ...sections.get(name)].join("\n")}\n` : "";
  const number = Math.max(...[...sections.keys()].filter((n) => n <= attempt), 0);
  return `${[...common, ...(sections.get(number) ?? [])].join("\n")}\n`;
}
