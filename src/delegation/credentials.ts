/**
 * What looks like a real credential in a brief: such a brief is refused, without printing what was found. Shapes only,
 * from the providers' published prefixes; values that the host knows are the gateway's business. Pure.
 */

const shapes: readonly [string, RegExp][] = [
  ["a private key", /-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----/],
  ["an AWS access key id", /\b(?:AKIA|ASIA)[0-9A-Z]{16}\b/],
  ["a GitHub token", /\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{60,})\b/],
  ["a GitLab token", /\bglpat-[A-Za-z0-9_-]{20,}/],
  ["an Anthropic key", /\bsk-ant-[A-Za-z0-9_-]{20,}/],
  ["an OpenAI key", /\bsk-(?:proj-|svcacct-)?[A-Za-z0-9_-]{32,}/],
  ["a Google API key", /\bAIza[0-9A-Za-z_-]{35}\b/],
  ["a Slack token", /\bxox[abeoprs]-[A-Za-z0-9-]{10,}/],
  ["an npm token", /\bnpm_[A-Za-z0-9]{36}\b/],
  ["a JSON web token", /\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}/],
  // A variable or a blank to be filled in is not a password.
  ["a password in a URL", /\b[a-z][a-z0-9+.-]{0,30}:\/\/[^/\s:@"']{1,100}:(?![$<{*[%])[^/\s@"']{3,200}@/i],
];

/** The kinds of credential that a text seems to hold, without the values. */
export function credentialsIn(text: string): string[] {
  return shapes.filter(([, shape]) => shape.test(text)).map(([name]) => name);
}

/** Every text in a JSON value, keys too. A list, not recursion: the nesting is the caller's. */
export function textsIn(root: unknown): string[] {
  const texts: string[] = [];
  const open: unknown[] = [root];
  while (open.length > 0) {
    const value = open.pop();
    if (typeof value === "string") texts.push(value);
    else if (typeof value === "object" && value !== null) {
      for (const [key, inner] of Object.entries(value)) {
        if (!Array.isArray(value)) texts.push(key);
        open.push(inner);
      }
    }
  }
  return texts;
}
