/** Checks an event against the schema in `ocsf-1.8.0.json`: known and required attributes, types, enumerations, constraints. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

interface Attribute {
  type: string;
  object?: string;
  array?: boolean;
  required?: boolean;
  enum?: string[];
}
interface Form {
  attributes: Record<string, Attribute>;
  constraints?: { at_least_one?: string[]; just_one?: string[] };
}
const schema = JSON.parse(readFileSync(join(import.meta.dirname, "ocsf-1.8.0.json"), "utf8")) as {
  version: string;
  classes: Record<string, Form>;
  objects: Record<string, Form>;
};
export const schemaVersion = schema.version;

type Value = Record<string, unknown>;

/** What is wrong with an event, in words; nothing where it is right. */
export function ocsfFaults(event: Value): string[] {
  const form = schema.classes[String(event.class_uid)];
  if (!form) return [`there is no class ${event.class_uid}`];
  const faults = faultsOf("event", event, form);
  if (event.type_uid !== Number(event.class_uid) * 100 + Number(event.activity_id)) faults.push("type_uid");
  return faults;
}

function faultsOf(at: string, value: Value, { attributes, constraints }: Form): string[] {
  const faults: string[] = [];
  for (const [name, attribute] of Object.entries(attributes))
    if (attribute.required && value[name] === undefined) faults.push(`${at}.${name} is missing`);
  for (const group of [constraints?.at_least_one, constraints?.just_one])
    if (group && !group.some((name) => value[name] !== undefined)) faults.push(`${at} has none of ${group}`);
  for (const [name, one] of Object.entries(value)) {
    const attribute = Object.hasOwn(attributes, name) ? attributes[name] : undefined;
    if (!attribute) faults.push(`${at}.${name} is no attribute`);
    else if (attribute.array && !Array.isArray(one)) faults.push(`${at}.${name} is no array`);
    else
      for (const item of attribute.array ? (one as unknown[]) : [one])
        faults.push(...fault(`${at}.${name}`, item, attribute));
  }
  return faults;
}

function fault(at: string, value: unknown, attribute: Attribute): string[] {
  if (attribute.type === "object") {
    if (typeof value !== "object" || value === null) return [`${at} is no object`];
    const form = schema.objects[attribute.object ?? ""];
    // `object` itself takes anything: that is what `unmapped` is.
    if (attribute.object === "object") return [];
    return form ? faultsOf(at, value as Value, form) : [`${at}: ${attribute.object} is not in the schema kept here`];
  }
  const right =
    attribute.type === "string_t"
      ? typeof value === "string"
      : attribute.type === "boolean_t"
        ? typeof value === "boolean"
        : Number.isSafeInteger(value);
  if (!right) return [`${at} is no ${attribute.type}: ${JSON.stringify(value)}`];
  if (attribute.enum && !attribute.enum.includes(String(value))) return [`${at} cannot be ${String(value)}`];
  return [];
}
