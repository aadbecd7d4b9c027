/** Everything that the daemon listens on: its own socket, those of planners and auditors, and the network where that is configured. */
import { createServer, type Server } from "node:http";
import type { FastifyInstance } from "fastify";
import { type Caller, operatorsPlanner } from "../domain/caller.ts";
import type { HostConfig } from "../domain/config.ts";
import { SallyportError } from "../domain/error.ts";
import type { SocketConfig } from "../domain/listen.ts";
import { type Callers, identifyBySocket } from "./callers.ts";
import type { Log } from "./log.ts";
import { checkNetwork, listenOnNetwork } from "./network.ts";
import { accountNumber, checkPath, listenOn } from "./socket-file.ts";
import type { StateDirectory } from "./state-directory.ts";
import type { ServiceManager } from "./systemd.ts";

export interface Listeners {
  /** Takes no more, and ends what is open. */
  close(): Promise<void>;
}

/** Listens everywhere, or nowhere: what cannot be opened as it is configured is a refusal to start. */
export async function openListeners(
  app: FastifyInstance,
  callers: Callers,
  state: StateDirectory,
  config: HostConfig,
  { log, manager }: { log: Log; manager: Pick<ServiceManager, "listen"> },
): Promise<Listeners> {
  await app.ready();
  const open: Parameters<typeof closeServer>[0][] = [];
  const close = async () => {
    await Promise.all(open.map(closeServer));
  };
  /** A server beside the API's own, with the same routes. */
  const serve = (caller: Caller): Server => {
    const server = createServer((request, response) => app.routing(request, response));
    callers.serve(server, identifyBySocket(caller));
    open.push(server);
    return server;
  };
  try {
    const operator = serve({ role: "operator", planner: operatorsPlanner, by: state.socket, mcp: true });
    for (const socket of config.sockets) {
      const [uid, gid] = [await accountNumber("passwd", socket.owner), await accountNumber("group", socket.group)];
      const mode = Number.parseInt(socket.mode, 8) & 0o777;
      await listenOn(
        serve({ role: socket.role, planner: socket.planner, by: socket.path, mcp: socket.mcp }),
        socket.path,
        {
          uid,
          gid,
          mode,
        },
      );
      log.info({ socket: socket.path, role: socket.role, planner: socket.planner }, "listening");
    }
    if (config.listen) open.push(await listenOnNetwork(app, callers, config.listen, log));
    // Last: whoever waits for the daemon's own socket finds the others open.
    const own = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0, mode: 0o600 };
    if (!(await manager.listen(operator, state.socket))) await listenOn(operator, state.socket, own);
  } catch (error) {
    await close();
    throw error;
  }
  return { close };
}

/** Streams and kept connections do not hold up the end. */
async function closeServer(server: Pick<Server, "listening" | "close" | "closeAllConnections">): Promise<void> {
  if (!server.listening) return;
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

function invalid(found: string, next: string): SallyportError {
  return new SallyportError("config-invalid", found, { next });
}

/** Whether all of it could be opened, before anything is brought up. Opens nothing. */
export async function checkListeners(
  config: HostConfig,
  state: Pick<StateDirectory, "socket">,
  { hands }: Pick<ServiceManager, "hands">,
): Promise<void> {
  await checkConfigured(config, state);
  await checkPath(state.socket, hands);
  for (const { path } of config.sockets) await checkPath(path);
}

/** Whether what is configured can be meant: users, groups, planners, certificates. A daemon may be running. */
export async function checkConfigured(config: HostConfig, state: Pick<StateDirectory, "socket">): Promise<void> {
  checkSockets(config, state);
  for (const { owner, group } of config.sockets) {
    await accountNumber("passwd", owner);
    await accountNumber("group", group);
  }
  if (config.listen) await checkNetwork(config.listen);
}

/** What the schema cannot see: two of one path, and a planner that there is not. Throws `config-invalid`. */
function checkSockets(config: HostConfig, state: Pick<StateDirectory, "socket">): void {
  const paths = [state.socket, ...config.sockets.map(({ path }) => path)];
  for (const path of paths) {
    if (paths.indexOf(path) !== paths.lastIndexOf(path))
      throw invalid(`two sockets have the path ${path}`, "Each caller has a socket of its own.");
  }
  for (const socket of config.sockets) checkPlanner(config, socket);
}

function checkPlanner(config: HostConfig, { planner, path }: SocketConfig): void {
  if (planner === undefined || Object.hasOwn(config.planners, planner)) return;
  throw invalid(
    `the socket ${path} is for the planner ${planner}, and \`planners\` has none of that name`,
    `Say what it may do: planners: { ${planner}: { repositories: [...], refs: [...] } }`,
  );
}
