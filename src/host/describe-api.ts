/** The API's description, OpenAPI 3.1: made of the very schemas that requests are checked by, and served with the API. */
import swagger from "@fastify/swagger";
import type { FastifyInstance } from "fastify";
import { createJsonSchemaTransform, createJsonSchemaTransformObject } from "fastify-type-provider-zod";
import { serveRoute } from "./serve-route.ts";
import { version } from "./version.ts";

const about = `Sallyport runs coding harnesses in sandboxes, and lands nothing without a signed approval.
It is served on Unix sockets, whose file permissions are the authorisation, and on the network only where the operator
configures it: TLS, and a token with every request. \`x-roles\` says whose sockets and tokens may use a route.`;

/** Adds the description to an API, before any route: those that are added after it are in it. */
export async function addDescription(app: FastifyInstance): Promise<void> {
  const describe = createJsonSchemaTransform({ skipList: [] });
  await app.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "Sallyport",
        description: about,
        version,
        license: { name: "Apache-2.0", identifier: "Apache-2.0" },
      },
      servers: [{ url: "/", description: "A Unix socket of the daemon, or its address on the network." }],
      components: {
        securitySchemes: { token: { type: "http", scheme: "bearer", description: "On the network alone." } },
      },
      security: [{}, { token: [] }],
    },
    transform: (route) => {
      const { schema, url } = describe(route as Parameters<typeof describe>[0]);
      const roles = route.route.config?.roles ?? [];
      return { schema: { ...schema, operationId: operationOf(route.route.method, url), "x-roles": roles }, url };
    },
    transformObject: createJsonSchemaTransformObject({}),
  });
  let made: Record<string, unknown> | undefined;
  serveRoute(app, "GET /v1/openapi.json", async () => (made ??= withBriefs(app.swagger() as Description)));
}

/** A name for a route, such as `getDelegationsIdWait`. */
function operationOf(method: string | string[], url: string): string {
  const words = url.replace(/^\/v1/, "").match(/[A-Za-z0-9]+/g) ?? [];
  return [[method].flat()[0]?.toLowerCase(), ...words.map((word) => word[0]?.toUpperCase() + word.slice(1))].join("");
}

type Description = Record<string, unknown> & {
  components: { schemas: Record<string, unknown> };
  paths: Record<string, Record<string, { requestBody?: { content: Record<string, { schema: Body }> } }>>;
};
interface Body {
  properties: Record<string, object>;
}

/** Briefs and plans are checked behind the request's own schema, for the sake of their own errors; here they are told. */
function withBriefs(description: Description): Record<string, unknown> {
  for (const [path, name, id] of [
    ["/v1/delegations", "brief", "BriefInput"],
    ["/v1/plans", "plan", "BriefPlanInput"],
  ] as const) {
    const schema = description.paths[path]?.post?.requestBody?.content["application/json"]?.schema;
    if (schema) schema.properties[name] = { $ref: `#/components/schemas/${id}` };
  }
  return withoutIdle(description);
}

/** The registry makes a form of each schema for input and for output: those that nothing names are left out. */
function withoutIdle(description: Description): Description {
  const { components } = description;
  const names = Object.keys(components.schemas);
  const schemas = { ...components.schemas };
  for (let before = -1; before !== Object.keys(schemas).length; ) {
    before = Object.keys(schemas).length;
    const text = JSON.stringify({ ...description, components: { ...components, schemas } });
    for (const name of names) if (!text.includes(`"#/components/schemas/${name}"`)) delete schemas[name];
  }
  return { ...description, components: { ...components, schemas } };
}
