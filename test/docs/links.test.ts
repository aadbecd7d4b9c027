/** Every link of the pages leads to a file that is there. */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, it } from "vitest";
import { house, pages, readPage } from "./blocks.ts";

it.each(pages())("the links of %s lead somewhere", (page) => {
  const text = readPage(page).replaceAll(/^```[\s\S]*?^```$/gm, "");
  const links = [...text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)].map(([, target = ""]) => target);
  const dead = links.filter((target) => !/^[a-z]+:/.test(target) && !existsSync(join(house, dirname(page), target)));
  expect(dead).toEqual([]);
});
