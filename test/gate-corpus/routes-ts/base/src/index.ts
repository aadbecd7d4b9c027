export { type HeaderMap, headerMap } from "./headers.ts";
export { parseQuery, type Query } from "./query.ts";
export { type Handler, type Match, Router } from "./router.ts";
