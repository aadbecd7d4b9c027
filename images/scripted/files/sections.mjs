/**
 * A script with sections, `#!attempt 1`, `#!attempt 2`, ...: what runs on the given attempt. Lines before the first
 * section are common to all; an attempt without a section of its own runs the last one before it.
 */
export function scriptFor(instructions, attempt) {
  const common = [];
  const sections = new Map();
  let current = common;
  for (const line of instructions.split(/\r?\n/)) {
    const mark = /^#!attempt\s+([1-9][0-9]*)\s*$/.exec(line);
    if (mark) {
      current = [];
      sections.set(Number(mark[1]), current);
    } else {
      current.push(line);
    }
  }
  const number = Math.max(...[...sections.keys()].filter((n) => n <= attempt), 0);
  return `${[...common, ...(sections.get(number) ?? [])].join("\n")}\n`;
}
