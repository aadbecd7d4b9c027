/** The thread that parses a large report: started by read-junit.ts, answers once. */
import { parentPort, workerData } from "node:worker_threads";
import { parseJunit } from "./junit.ts";

parentPort?.postMessage(parseJunit(String(workerData)));
