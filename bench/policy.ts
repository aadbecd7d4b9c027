/** Decisions under a thousand rules, against the plainest thing that decides the same: a scan of the rules with picomatch. */
import picomatch from "picomatch";
import type { NetworkRule } from "../src/domain/policy.ts";
import { canonicalRequest } from "../src/policy/canonical-request.ts";
import { compileRules } from "../src/policy/decide.ts";
import { type Figure, sideBySide, timed } from "./measure.ts";

const count = 1000;
const rules: NetworkRule[] = Array.from({ length: count }, (_, i) => ({
  host: i % 2 ? `*.host${i}.example.org` : `host${i}.example.org`,
  scheme: "https",
  methods: ["GET", "HEAD"],
  paths: ["/simple/**", `/packages/${i}/*.{whl,tar.gz}`],
}));
const urls = Array.from({ length: 500 }, (_, i) => {
  const n = (i * 37) % (count + 100);
  return [`https://host${n}.example.org/simple/x`, `https://a.host${n}.example.org/packages/${n}/x.whl`, `https://a.host${n}.example.org/private`][i % 3] as string;
});

/** Microseconds a decision, from the URL as it came to the answer; the peer is given what the URL parser of the platform makes of it. */
export async function policyFigures(): Promise<Figure[]> {
  const compiled = compileRules(rules);
  const peer = rules.map((rule) => ({ host: picomatch(rule.host.replace("*.", "**.")), rule, path: picomatch(rule.paths ?? []) }));
  const ours = (url: string): boolean => {
    const made = canonicalRequest({ method: "GET", url });
    return made.ok && compiled.decide(made.request).allow;
  };
  const theirs = (url: string): boolean => {
    const { protocol, hostname, pathname } = new URL(url);
    return peer.some(({ host, rule, path }) => protocol === "https:" && host(hostname) && (rule.methods ?? []).includes("GET") && path(pathname));
  };
  const disagree = urls.filter((url) => ours(url) !== theirs(url));
  if (disagree.length > 0) throw new Error(`the peer decides otherwise about ${disagree[0]}`);
  const rounds = 20;
  const micros = (decide: (url: string) => boolean, times: number) => async () => {
    const time = await timed(async () => {
      for (let i = 0; i < times; i++) for (const url of urls) decide(url);
    });
    return (time * 1000) / (times * urls.length);
  };
  const about = { name: `a request decided under ${count} rules`, unit: "µs", peer: "scan of the rules with picomatch", runs: 9 };
  return [await sideBySide(about, micros(ours, rounds), micros(theirs, 1))];
}
