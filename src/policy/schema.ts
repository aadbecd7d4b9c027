/** The JSON schema of the policy file, as `policies/schema.json` holds it for editors. */
import { policyJsonSchema } from "../domain/policy.ts";

/** The text of `policies/schema.json`: generated from the schema that policies are checked with. */
export function policySchemaText(): string {
  return `${JSON.stringify(policyJsonSchema(), undefined, 2)}\n`;
}
