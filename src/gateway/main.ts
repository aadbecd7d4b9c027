/**
 * The gateway process: `main.ts <uid> <gid>`, started by `startGateway` with its sockets' directory as working
 * directory. It has one channel, to the daemon; when that closes there is nobody to record decisions, and it ends.
 */
import { lookup } from "node:dns/promises";
import { mkdir, rm, rmdir } from "node:fs/promises";
import { createSecureContext } from "node:tls";
import { classifyAddress, sameAddress } from "../policy/address.ts";
import { canonicalRequest } from "../policy/canonical-request.ts";
import { compileRules } from "../policy/decide.ts";
import { createChannel } from "./channel.ts";
import { createLane, type Lane } from "./lane.ts";
import { laneDescriptors } from "./limits.ts";
import { checkLane, type LaneSpec } from "./messages.ts";
import { dropPrivileges, findPrivileges, readLimits, readStatus } from "./privileges.ts";
import { warmUp } from "./upstream.ts";

const [uid, gid] = process.argv.slice(2).map(Number);
const lanes = new Map<string, Lane>();
const channel = createChannel({ open: openLane, close: closeLane });

async function openLane(lane: LaneSpec): Promise<void> {
  const fault = checkLane(lane);
  if (fault) throw new Error(fault);
  if (lanes.has(lane.sandbox)) throw new Error("the sandbox has a lane already");
  // One lane must not be able to take the descriptors that another needs to accept a connection.
  if ((lanes.size + 1) * laneDescriptors + 64 > readLimits().descriptors) {
    throw new Error(`${readLimits().descriptors} open files are too few for another lane`);
  }
  const opened = createLane(lane, {
    decisions: { canonicalRequest, compileRules, classifyAddress, sameAddress },
    lookup: (host) => lookup(host, { all: true, order: "ipv4first" }),
    emit: channel.emit,
    callVerb: channel.callVerb,
    room: channel.room,
    now: () => performance.now(),
  });
  lanes.set(lane.sandbox, opened);
  try {
    // Not recursive: a directory that is there already is not ours.
    await mkdir(lane.sandbox, { mode: 0o755 });
    await opened.listen(`${lane.sandbox}/host.sock`);
  } catch (error) {
    lanes.delete(lane.sandbox);
    await opened.close();
    throw error;
  }
}

async function closeLane(sandbox: string): Promise<void> {
  const lane = lanes.get(sandbox);
  if (!lane) return;
  lanes.delete(sandbox);
  await lane.close();
  await rm(`${sandbox}/host.sock`, { force: true });
  await rmdir(sandbox);
}

async function start(): Promise<void> {
  if (!uid || !gid) throw new Error("usage: main.ts UID GID, neither of them root");
  process.umask(0o022);
  // The host's certificates, and those of NODE_EXTRA_CA_CERTS, are read while they can be.
  createSecureContext();
  await warmUp();
  dropPrivileges(uid, gid);
  const faults = findPrivileges(readStatus("self"), uid, gid);
  if (readLimits().core !== "0") faults.push("core dumps are not off");
  if (faults.length > 0) throw new Error(faults.join("; "));
  channel.ready();
}

start().catch((error: unknown) => channel.refuse(error instanceof Error ? error.message : String(error)));
