/** Which rules could cover a rule, by host alone: comparing each of many rules with each would take time quadratic in them. */
import type { NetworkRule } from "../domain/policy.ts";

/** Gives the places of the rules whose host is a rule's own, or a wildcard over it, in order. */
export function indexRules(rules: readonly NetworkRule[]): (host: string) => number[] {
  const places = new Map<string, number[]>();
  rules.forEach(({ host }, index) => {
    const list = places.get(host);
    if (list) list.push(index);
    else places.set(host, [index]);
  });
  return (host) => {
    const found = [...(places.get(host) ?? [])];
    const name = host.replace(/^\*\./, "");
    for (let dot = host === name ? name.indexOf(".") : 0; dot >= 0; dot = name.indexOf(".", dot + 1)) {
      const wildcard = `*.${dot === 0 ? name : name.slice(dot + 1)}`;
      if (wildcard !== host) found.push(...(places.get(wildcard) ?? []));
    }
    return found.sort((a, b) => a - b);
  };
}
