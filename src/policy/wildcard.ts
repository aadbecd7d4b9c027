/** A rule's host: a name, an address, or a wildcard over the names below one. Over-broad wildcards are refused here. */
import { canonicalHost } from "./canonical-host.ts";

/** `host` is canonical; with `wildcard` it is the name that the wildcard stands below, and itself not matched. */
export type HostPattern = { ok: true; host: string; wildcard: boolean; literal: boolean } | { ok: false; why: string };

/** Second labels under which two-letter domains register names for anyone. */
const registries = new Set([
  "ac",
  "co",
  "com",
  "edu",
  "gob",
  "gov",
  "gouv",
  "govt",
  "id",
  "ltd",
  "me",
  "mil",
  "ne",
  "net",
  "nom",
  "or",
  "org",
  "plc",
  "sch",
]);

/** Suffixes below which anyone can put a server or a bucket: a wildcard over one reaches strangers. */
const sharedHosting = new Set([
  "amazonaws.com",
  "appspot.com",
  "azureedge.net",
  "azurewebsites.net",
  "blob.core.windows.net",
  "cloudapp.azure.com",
  "cloudapp.net",
  "cloudfront.net",
  "cloudfunctions.net",
  "deno.dev",
  "duckdns.org",
  "execute-api.amazonaws.com",
  "firebaseapp.com",
  "firebaseio.com",
  "fly.dev",
  "github.io",
  "githubusercontent.com",
  "gitlab.io",
  "herokuapp.com",
  "lambda-url.amazonaws.com",
  "loca.lt",
  "myshopify.com",
  "netlify.app",
  "ngrok-free.app",
  "ngrok.app",
  "ngrok.io",
  "nip.io",
  "onrender.com",
  "pages.dev",
  "r2.dev",
  "railway.app",
  "repl.co",
  "replit.app",
  "replit.dev",
  "run.app",
  "s3.amazonaws.com",
  "sslip.io",
  "storage.googleapis.com",
  "surge.sh",
  "trycloudflare.com",
  "vercel.app",
  "web.app",
  "windows.net",
  "workers.dev",
  "xip.io",
]);

/** Reads a rule's host in any spelling. Never throws. */
export function hostPattern(text: string): HostPattern {
  const wildcard = text.startsWith("*.");
  const name = wildcard ? text.slice(2) : text;
  if (name.includes("*")) {
    const why = text === "*" ? "`*` is every host there is" : "a wildcard stands only in front, as `*.example.org`";
    return { ok: false, why };
  }
  const host = canonicalHost(name);
  if (!host.ok) return host;
  if (!wildcard) return { ok: true, host: host.host, wildcard, literal: host.literal };
  if (host.literal) return { ok: false, why: "a wildcard below an IP address names nothing" };
  const labels = host.host.split(".");
  if (labels.length < 2) return { ok: false, why: `\`${text}\` is every name below a top-level domain` };
  const [second = "", top = ""] = labels;
  if (labels.length === 2 && top.length === 2 && registries.has(second)) {
    return { ok: false, why: `\`${text}\` is every name that anyone registered below ${host.host}` };
  }
  if (sharedHosting.has(host.host) || /^s3[.-][a-z0-9-]+\.amazonaws\.com$/.test(host.host)) {
    return { ok: false, why: `anyone can put a server below ${host.host}` };
  }
  return { ok: true, host: host.host, wildcard, literal: false };
}
