/** Price tables of model routes: found beside the policies, checked like them, and settled into the routes that name them. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { SallyportError } from "../domain/error.ts";
import { knownProtocols } from "../domain/model.ts";
import type { Policy, PolicyFile } from "../domain/policy.ts";
import { type PriceTable, priceOf, writtenPrices } from "../domain/price.ts";
import { loadDocument } from "./document.ts";
import { nearest, type Problem } from "./issues.ts";

/** Where price tables are, below each policy directory. */
const folder = "prices";

/** The tables by name: from the first directory that has `prices/<name>.yaml`, so that an operator's own win. */
export type Tables = ReadonlyMap<string, PriceTable>;

/** Loads the tables that routes name; one that is nowhere is left out. Throws `policy-invalid` with the table's line. */
export async function loadTables(
  models: NonNullable<PolicyFile["models"]>,
  directories: readonly string[],
): Promise<{ tables: Tables; known: string[] }> {
  const tables = new Map<string, PriceTable>();
  const found = new Map<string, string>();
  for (const directory of directories) {
    const files = await readdir(join(directory, folder)).catch((): string[] => []);
    for (const file of files) {
      const name = file.replace(/\.yaml$/, "");
      if (file.endsWith(".yaml") && !found.has(name)) found.set(name, join(directory, folder, file));
    }
  }
  for (const { prices } of Object.values(models)) {
    const path = prices === undefined ? undefined : found.get(prices);
    if (prices === undefined || path === undefined || tables.has(prices)) continue;
    try {
      tables.set(prices, await loadDocument(path, writtenPrices, "policy-invalid"));
    } catch (error) {
      const { message, next, at } = error as SallyportError;
      throw new SallyportError("policy-invalid", `the price table ${prices}: ${message}`, {
        next,
        ...(at ? { at } : {}),
        cause: error,
      });
    }
  }
  return { tables, known: [...found.keys()].sort() };
}

/** Routes with their tables. */
export function withTables(models: NonNullable<PolicyFile["models"]>, tables: Tables): Policy["models"] {
  return Object.fromEntries(
    Object.entries(models).map(([name, route]) => {
      const table = route.prices === undefined ? undefined : tables.get(route.prices);
      return [name, table ? { ...route, table } : route];
    }),
  );
}

/** Tables that routes name and nobody has. */
export function tableProblems(models: Policy["models"], known: readonly string[]): Problem[] {
  return Object.entries(models).flatMap(([name, { prices, table }]) => {
    if (prices === undefined || table) return [];
    const meant = nearest(prices, known);
    const hint = meant ? `did you mean \`${meant}\`?` : `there are ${known.join(", ") || "none"}`;
    return [{ path: ["models", name, "prices"], message: `no price table ${folder}/${prices}.yaml; ${hint}` }];
  });
}

/** What a budget of tokens or money needs of every route, and is not there: a cap that could not be counted is none. */
export function meteringProblems(models: Policy["models"], budget: Partial<Policy["budget"]>): Problem[] {
  const { tokens, usd } = budget;
  if (tokens === undefined && usd === undefined) return [];
  return Object.entries(models).flatMap(([name, route]): Problem[] => {
    const path = ["models", name];
    const problems: Problem[] = [];
    const at = (message: string) => problems.push({ path, key: true, message: `models.${name}: ${message}` });
    if (route.protocol === undefined && knownProtocols(route.base) === undefined) {
      at(
        "say its `protocol`: a budget of tokens or money counts what answers say they used, and each protocol says it elsewhere",
      );
    }
    if (usd === undefined || route.quota) return problems;
    if (route.prices === undefined) at("say its `prices`: budget.usd cannot be counted without a price table");
    else if (route.table) {
      for (const model of route.models ?? []) {
        if (!model.includes("*") && !priceOf(route.table, model))
          at(`the price table ${route.prices} has no price for ${model}, and budget.usd is set`);
      }
    }
    return problems;
  });
}
