// The verifier: reads the case, asks its model, and posts the verdict to the host. What it prints is for people; only
// the posted verdict counts. Without one the host rejects.
import { protocols } from "./model.mjs";
import { verify } from "./turn.mjs";

if (process.argv[2] === "--check") {
  process.stdout.write(`${Object.keys(protocols).join(" ")}\n`);
  process.exit(0);
}

/** A whole number of the environment within bounds, or the default. */
function number(name, fallback, least, most) {
  const value = Number(process.env[name] ?? fallback);
  return Number.isInteger(value) && value >= least && value <= most ? value : fallback;
}

const say = (text) => process.stdout.write(`${text}\n`);
const { verdict, answer } = await verify({
  folder: process.env.SALLYPORT_CASE ?? "/case",
  settings: {
    base: process.env.SKEPTIC_BASE ?? "",
    model: process.env.SKEPTIC_MODEL ?? "",
    protocol: process.env.SKEPTIC_PROTOCOL ?? "",
  },
  desk: { host: "127.0.0.1", port: 3128 },
  rounds: number("SKEPTIC_ROUNDS", 3, 1, 10),
  limit: number("SKEPTIC_DIFF_LIMIT", 400_000, 1000, 4_000_000),
  say,
});
say(`${verdict.decision}: ${answer.status} ${answer.text}`);
process.exitCode = answer.status === 200 ? 0 : 1;
