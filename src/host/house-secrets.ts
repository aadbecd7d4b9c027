/**
 * Masking for the house: what the host writes down goes by the gateway, which alone knows the values. Where nothing was
 * ever held there is nothing to mask, and nobody is asked.
 */
import { asSallyportError, SallyportError } from "../domain/error.ts";
import type { Event, EventType } from "../domain/event.ts";
import type { Policy, SecretBinding } from "../domain/policy.ts";
import type { SecretHouse } from "../gateway/secret-house.ts";
import { namedSecrets } from "../gateway/secret-lane.ts";

export interface HouseSecrets {
  /** Whether any delegation has had a secret since the start. */
  known(): boolean;
  /** Resolves a delegation's secrets and keeps them at the gateway. Throws `secret-unavailable`. */
  hold(delegation: string, policy: Policy): Promise<void>;
  release(delegation: string): void;
  /**
   * Gives a gateway that was started again what the running delegations hold. One whose source fails now does not keep the
   * others from theirs; the delegations that are without are named in the error, and get no lane until they can be held.
   */
  restore(): Promise<void>;
  /** Holds a delegation's secrets again where the gateway was started without them. Throws `secret-unavailable`. */
  ready(delegation: string): Promise<void>;
  mask(text: string): Promise<string>;
  /** What a sandbox printed, masked; nothing of it where it cannot be masked. */
  maskOutput(bytes: Buffer): Promise<Buffer>;
  contains(bytes: Buffer): Promise<string[]>;
  /** An event as it may be written down. */
  maskEvent(event: Event): Promise<Event>;
}

/**
 * Events whose content was masked before it was hashed or signed, or is made of ids alone: another masking could only
 * make them disagree with their own digests.
 */
const settled: ReadonlySet<EventType> = new Set<EventType>([
  "delegation.accepted",
  "proposal.collected",
  "tests.reported",
  "verdict.received",
  "canary.judged",
  "delegation.approved",
  "landing.merged",
  "landing.tested",
  "landing.verified",
  "landing.intended",
  "delegation.landed",
]);

/** Milliseconds that a masking waits for a gateway that is being started again. */
const patience = 5000;
const withheld = "(withheld: it could not be masked)";

export function houseSecrets(gateway: () => SecretHouse | undefined): HouseSecrets {
  const held = new Map<string, Record<string, SecretBinding>>();
  /** Those that hold nothing at the gateway that runs now. */
  const without = new Set<string>();
  let ever = false;

  const asking = async <T>(ask: (house: SecretHouse) => Promise<T>): Promise<T> => {
    const end = Date.now() + patience;
    for (;;) {
      const house = gateway();
      try {
        if (house) return await ask(house);
      } catch (error) {
        // Only a gateway that is gone is worth another question.
        if (gateway() === house) throw error;
      }
      if (Date.now() > end) {
        throw new SallyportError("gateway-failed", "the gateway, which alone can mask, is not running", {
          next: "It is started again by itself; look at the daemon's log.",
        });
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  const mask = async (text: string): Promise<string> => (ever ? asking((house) => house.mask(text)) : text);

  return {
    known: () => ever,
    async hold(delegation, policy) {
      const names = namedSecrets(policy.network, policy.models);
      const missing = names.find((name) => !Object.hasOwn(policy.secrets, name));
      if (missing !== undefined) {
        throw new SallyportError("secret-unavailable", `secret ${missing}: no source is given for it`, {
          next: `Add to the policy: secrets: { ${missing}: { from: "file:/path", header: authorization, form: "Bearer {}" } }`,
        });
      }
      if (names.length === 0) return;
      const secrets = Object.fromEntries(names.map((name) => [name, policy.secrets[name] as SecretBinding]));
      ever = true;
      await asking((house) => house.holdSecrets(delegation, secrets));
      held.set(delegation, secrets);
    },
    release(delegation) {
      without.delete(delegation);
      if (held.delete(delegation)) gateway()?.releaseSecrets(delegation);
    },
    async restore() {
      const house = gateway();
      const failures: string[] = [];
      const again = [...held].map(async ([delegation, secrets]) => {
        without.add(delegation);
        try {
          await house?.holdSecrets(delegation, secrets);
          without.delete(delegation);
        } catch (error) {
          failures.push(`${delegation}: ${asSallyportError(error).message}`);
        }
      });
      await Promise.all(again);
      if (failures.length === 0) return;
      throw new SallyportError("secret-unavailable", failures.join("; "), {
        next: "Their next sandbox asks the sources again: correct what is named.",
      });
    },
    async ready(delegation) {
      const secrets = held.get(delegation);
      if (!secrets || !without.has(delegation)) return;
      await asking((house) => house.holdSecrets(delegation, secrets));
      without.delete(delegation);
    },
    mask,
    async maskOutput(bytes) {
      if (!ever || bytes.length === 0) return bytes;
      // One character a byte: what is no text comes back as it was.
      return mask(bytes.toString("latin1")).then(
        (text) => Buffer.from(text, "latin1"),
        () => Buffer.from(withheld),
      );
    },
    contains: async (bytes) => (ever ? asking((house) => house.contains(bytes)) : []),
    async maskEvent(event) {
      if (!ever || settled.has(event.type)) return event;
      try {
        // A mask holds nothing that JSON would have to escape.
        return { ...event, data: JSON.parse(await mask(JSON.stringify(event.data))) } as Event;
      } catch {
        return { ...event, data: withhold(event.data) } as Event;
      }
    },
  };
}

/** What happened stays told when nobody can say whether its words hold a secret: the words alone are left out. */
function withhold(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withhold);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) =>
      typeof inner === "string" && ["message", "reason", "text", "path"].includes(key) && inner.includes(" ")
        ? [key, withheld]
        : [key, withhold(inner)],
    ),
  );
}
