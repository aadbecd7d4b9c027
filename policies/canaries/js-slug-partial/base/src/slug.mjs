/** A title as part of an address. */
export function slugify(title) {
  return title
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "");
}

/** A slug that is not taken yet. */
export function unique(title, taken) {
  const first = slugify(title);
  for (let number = 2, next = first; ; number++) {
    if (!taken.has(next)) return next;
    next = `${first}-${number}`;
  }
}
