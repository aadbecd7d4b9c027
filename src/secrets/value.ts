/** What a secret's value must be like to be put in safely and recognised everywhere else. */

/** The fewest characters: a shorter value would be guessed, and would be masked in text that has nothing to do with it. */
export const shortestValue = 8;
/** The most characters: the longest value decides how much of a stream is held back. */
export const longestValue = 8192;

/**
 * A source's output as a value: one line break at its end does not count. Gives the value, or what is wrong with it in
 * words that say nothing about it but its length.
 */
export function readValue(text: string): { value: string } | { fault: string } {
  const value = text.replace(/\r?\n$/, "");
  if (value === "") return { fault: "it is empty" };
  if (value.length < shortestValue) {
    return { fault: `it has ${value.length} characters, fewer than ${shortestValue}` };
  }
  if (value.length > longestValue) return { fault: `it has more than ${longestValue} characters` };
  // A line break in a header is another header; one form of each character keeps its encodings countable.
  if (!/^[\x20-\x7e]+$/.test(value)) return { fault: "it holds a character that is not printable ASCII" };
  if (value.trim() !== value) return { fault: "it begins or ends with a space" };
  if (new Set(value).size < 4) return { fault: "it is made of fewer than 4 different characters" };
  if (value.includes("sallyport-placeholder-")) return { fault: "it is a placeholder" };
  return { value };
}
