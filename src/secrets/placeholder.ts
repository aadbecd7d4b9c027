/** What a sandbox holds in a secret's stead: worthless by itself, and unlike anything else. */

/** The placeholder of a secret in one lane. `random` is 8 fresh random bytes, so that no lane knows another's. */
export function placeholderFor(name: string, random: Uint8Array): string {
  if (random.length !== 8) throw new RangeError("a placeholder is made of 8 random bytes");
  return `sallyport-placeholder-${name}-${Buffer.from(random).toString("hex")}`;
}

/** Whether a text is a placeholder of the secret of that name. */
export function isPlaceholder(text: unknown, name: string): text is string {
  return (
    typeof text === "string" &&
    text.startsWith(`sallyport-placeholder-${name}-`) &&
    /^[0-9a-f]{16}$/.test(text.slice(`sallyport-placeholder-${name}-`.length))
  );
}
