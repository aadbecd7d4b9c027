/** What every answer of the console tells the browser: nothing but the console's own files runs, and nobody frames it. */

/** CSP Level 3. A page that shows what an executor wrote loads nothing from anywhere else, whatever was written. */
export const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
  // No string becomes markup or code, even by a mistake of ours.
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ");

export const pageHeaders: Readonly<Record<string, string>> = {
  "content-security-policy": contentSecurityPolicy,
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "x-frame-options": "DENY",
  "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
};

/** How long a browser keeps a file: one that is named by its content for ever, everything else not at all. */
export const cacheOf = (file: { immutable: boolean }): string =>
  file.immutable ? "public, max-age=31536000, immutable" : "no-store";
