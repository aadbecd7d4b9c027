/** The thread that parses a large report: started by read-report.ts, answers once. */
import { parentPort, workerData } from "node:worker_threads";
import { parseReport, type ReportForm } from "./form.ts";

const { form, text } = workerData as { form: ReportForm; text: string };
parentPort?.postMessage(parseReport(form, text));
