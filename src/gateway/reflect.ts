/**
 * The certificate library's container asks for a metadata API when it is loaded. It keeps nothing in it that certificates
 * need, so an empty one serves; import this before the library.
 */
const api = Reflect as unknown as Record<string, unknown>;
const none = () => undefined;
for (const name of ["getMetadata", "getOwnMetadata", "defineMetadata"]) api[name] ??= none;
