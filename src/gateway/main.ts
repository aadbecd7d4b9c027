/**
 * The gateway process: `main.ts <uid> <gid>`, started by `startGateway` with its sockets' directory as working
 * directory. It has one channel, to the daemon; when that closes there is nobody to record decisions, and it ends.
 */
import { lookup } from "node:dns/promises";
import { mkdir, rm, rmdir, writeFile } from "node:fs/promises";
import { createSecureContext, getCACertificates } from "node:tls";
import { classifyAddress, sameAddress } from "../policy/address.ts";
import { canonicalRequest } from "../policy/canonical-request.ts";
import { compileRules } from "../policy/decide.ts";
import { createChannel } from "./channel.ts";
import { warmDecoders } from "./decode.ts";
import { createLane, type Lane } from "./lane.ts";
import { createLaneCa } from "./lane-ca.ts";
import { laneDescriptors } from "./limits.ts";
import { checkLane, type LaneSpec } from "./messages.ts";
import type { Reserved } from "./model-reserve.ts";
import { permittedNames } from "./name-constraints.ts";
import { dropPrivileges, findPrivileges, readLimits, readStatus } from "./privileges.ts";
import { openSecretService } from "./secret-service.ts";
import { secretTransform } from "./secret-transform.ts";
import { hostsFile, laneEntries, laneFiles, transparentFor } from "./transparent.ts";
import { warmUp } from "./upstream.ts";
import { readProxies } from "./upstream-proxy.ts";

const [uid, gid] = process.argv.slice(2).map(Number);
const lanes = new Map<string, { lane: Lane; entries: readonly string[] }>();
const channel = createChannel({ open: openLane, close: closeLane });
const { vault, recalled } = openSecretService();

/** How the host itself reaches others. It is read when the process starts: a fault in it is a refusal to start. */
let findProxy: ReturnType<typeof readProxies>;
/** The authorities that the host trusts, as one text; read when a lane first passes TLS through. */
let publicBundle: string | undefined;

async function openLane(lane: LaneSpec): Promise<void> {
  const fault = checkLane(lane);
  if (fault) throw new Error(fault);
  await recalled();
  if (lanes.has(lane.sandbox)) throw new Error("the sandbox has a lane already");
  // One lane must not be able to take the descriptors that another needs to accept a connection.
  if ((lanes.size + 1) * laneDescriptors + 64 > readLimits().descriptors) {
    throw new Error(`${readLimits().descriptors} open files are too few for another lane`);
  }
  const entries = laneEntries(lane.network);
  const ca = await createLaneCa(permittedNames(lane.network));
  const opened = createLane(
    lane,
    {
      decisions: { canonicalRequest, compileRules, classifyAddress, sameAddress },
      lookup: (host) => lookup(host, { all: true, order: "ipv4first" }),
      findProxy,
      makeTransform: secretTransform(vault),
      emit(event) {
        event.url = vault.mask(event.url);
        channel.emit(event);
      },
      callVerb: channel.callVerb,
      // What is reserved is written down: no value may be in it (ATTACKS S4).
      reserve: async (sandbox, ask) =>
        vault.mask(ask.model) === ask.model ? channel.reserve(sandbox, ask) : secretModel(ask.route),
      settle: (sandbox, report) =>
        channel.settle(sandbox, report.model === undefined ? report : { ...report, model: vault.mask(report.model) }),
      progress: channel.progress,
      room: channel.room,
      now: () => performance.now(),
    },
    ca,
  );
  lanes.set(lane.sandbox, { lane: opened, entries });
  try {
    // Not recursive: a directory that is there already is not ours.
    await mkdir(lane.sandbox, { mode: 0o755 });
    const write = (name: string, text: string) =>
      writeFile(`${lane.sandbox}/${name}`, text, { flag: "wx", mode: 0o644 });
    await write(laneFiles.ca, ca.pem + passedThrough(lane));
    const transparent = transparentFor(lane.network);
    if (transparent.hosts.length > 0) await write(laneFiles.hosts, hostsFile(transparent.hosts));
    await opened.listen(lane.sandbox, transparent);
  } catch (error) {
    lanes.delete(lane.sandbox);
    await opened.close();
    throw error;
  }
}

function secretModel(route: string): Reserved {
  const why = "the model's name holds a secret";
  return { ok: false, status: 403, code: "model-refused", rule: `models.${route}`, why, next: "Ask for a model." };
}

/** Only TLS that is passed through shows a certificate of someone else's: then the host's authorities are needed too. */
function passedThrough(lane: LaneSpec): string {
  if (!lane.network.some((rule) => rule.tls === "passthrough")) return "";
  publicBundle ??= `${getCACertificates("default").join("\n")}\n`;
  return publicBundle;
}

async function closeLane(sandbox: string): Promise<void> {
  const found = lanes.get(sandbox);
  if (!found) return;
  lanes.delete(sandbox);
  await found.lane.close();
  for (const name of found.entries) await rm(`${sandbox}/${name}`, { force: true });
  await rmdir(sandbox);
}

async function start(): Promise<void> {
  if (!uid || !gid) throw new Error("usage: main.ts UID GID, neither of them root");
  process.umask(0o022);
  // The host's certificates, and those of NODE_EXTRA_CA_CERTS, are read while they can be.
  createSecureContext();
  getCACertificates("default");
  findProxy = readProxies(process.env);
  await warmUp();
  await warmDecoders();
  await (await createLaneCa([{ dns: "warm.invalid" }])).contextFor("warm.invalid");
  dropPrivileges(uid, gid);
  const faults = findPrivileges(readStatus("self"), uid, gid);
  if (readLimits().core !== "0") faults.push("core dumps are not off");
  if (faults.length > 0) throw new Error(faults.join("; "));
  channel.ready();
}

start().catch((error: unknown) => channel.refuse(error instanceof Error ? error.message : String(error)));
