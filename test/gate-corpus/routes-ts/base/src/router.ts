import { type Part, partsOf, segmentsOf } from "./segments.ts";

export type Handler = (params: Record<string, string>) => unknown;

interface Route {
  method: string;
  pattern: string;
  parts: Part[];
  handler: Handler;
}

export interface Match {
  handler: Handler;
  params: Record<string, string>;
  /** The pattern that matched. */
  pattern: string;
}

const rank = { fixed: 0, param: 1, rest: 2 };

/** Routes by method and pattern; the most specific one answers. */
export class Router {
  #routes: Route[] = [];

  /** Adds a route. Methods are told apart in upper case. */
  add(method: string, pattern: string, handler: Handler): this {
    const route = { method: method.toUpperCase(), pattern, parts: partsOf(pattern), handler };
    if (this.#routes.some((known) => known.method === route.method && known.pattern === pattern))
      throw new Error(`there is a route ${route.method} ${pattern} already`);
    this.#routes.push(route);
    return this;
  }

  /** The route for a request, or undefined where there is none. */
  match(method: string, path: string): Match | undefined {
    const segments = segmentsOf(path);
    if (!segments) return undefined;
    const found = this.#routes
      .filter((route) => route.method === method.toUpperCase())
      .flatMap((route) => {
        const params = paramsOf(route.parts, segments);
        return params ? [{ route, params }] : [];
      })
      .sort((a, b) => compare(a.route.parts, b.route.parts))[0];
    return found && { handler: found.route.handler, params: found.params, pattern: found.route.pattern };
  }

  /** Every route as `METHOD pattern`, in the order they were added. */
  list(): string[] {
    return this.#routes.map(({ method, pattern }) => `${method} ${pattern}`);
  }
}

function paramsOf(parts: readonly Part[], segments: readonly string[]): Record<string, string> | undefined {
  const params: Record<string, string> = {};
  for (const [index, part] of parts.entries()) {
    if (part.kind === "rest") {
      if (segments.length <= index) return undefined;
      params[part.name] = segments.slice(index).join("/");
      return params;
    }
    const segment = segments[index];
    if (segment === undefined) return undefined;
    if (part.kind === "param") params[part.name] = segment;
    else if (part.text !== segment) return undefined;
  }
  return segments.length === parts.length ? params : undefined;
}

/** The more specific pattern first: part by part, fixed before param before rest. */
function compare(a: readonly Part[], b: readonly Part[]): number {
  for (let index = 0; index < Math.min(a.length, b.length); index++) {
    const difference = rank[(a[index] as Part).kind] - rank[(b[index] as Part).kind];
    if (difference !== 0) return difference;
  }
  return b.length - a.length;
}
