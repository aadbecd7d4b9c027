/** Rules that change nothing: not wrong, and usually not meant. */
import type { NetworkRule, Policy } from "../domain/policy.ts";
import { canonicalHost } from "./canonical-host.ts";
import { requestsCovered } from "./cover.ts";
import type { KeyPath } from "./issues.ts";
import { indexRules } from "./rule-index.ts";
import { hostPattern } from "./wildcard.ts";

export interface Warning {
  path: KeyPath;
  message: string;
}

/** Rules that an earlier one allows all of, and rules that are never read because their host is passed through. */
export function shadowedRules(network: readonly NetworkRule[]): Warning[] {
  const near = indexRules(network);
  return network.flatMap((rule, index): Warning[] => {
    const wider = near(rule.host).filter(
      (place) => place !== index && requestsCovered(rule, network[place] as NetworkRule),
    );
    const earlier = wider.find((place) => place < index);
    if (earlier !== undefined) {
      const lost =
        rule.secret !== undefined && network[earlier]?.secret !== rule.secret
          ? `, so its secret ${rule.secret} is never carried`
          : "";
      return [
        {
          path: ["network", index],
          message: `network[${index}] ${rule.host} never decides: network[${earlier}] ${network[earlier]?.host} allows all of it before${lost}`,
        },
      ];
    }
    const tunnel =
      rule.tls === "passthrough" ? undefined : wider.find((place) => network[place]?.tls === "passthrough");
    if (tunnel === undefined) return [];
    return [
      {
        path: ["network", index],
        message: `network[${index}] ${rule.host} never decides: network[${tunnel}] passes all of it through unread`,
      },
    ];
  });
}

/** Rules for hosts that recorded work never asked for. `hosts` are the names that were asked for, in any spelling. */
export function unusedHosts(network: Policy["network"], hosts: Iterable<string>, delegations: number): Warning[] {
  const asked = [...hosts].flatMap((text) => {
    const host = canonicalHost(text);
    return host.ok ? [host.host] : [];
  });
  return network.flatMap((rule, index) => {
    const pattern = hostPattern(rule.host);
    if (!pattern.ok) return [];
    const used = asked.some((host) => (pattern.wildcard ? host.endsWith(`.${pattern.host}`) : host === pattern.host));
    const message = `network[${index}] ${rule.host} was never asked for in ${delegations} recorded delegation${delegations === 1 ? "" : "s"} under this policy`;
    return used ? [] : [{ path: ["network", index], message }];
  });
}
