/** Values by key, made on first use. */
export class Cache {
  constructor(limit) {
    this.limit = limit;
    this.entries = new Map();
  }

  /** The value of a key; `loader` makes it where there is none. */
  get(key, loader) {
    if (!this.entries.has(key)) this.entries.set(key, loader(key));
    return this.entries.get(key);
  }

  get count() {
    return this.entries.size;
  }
}
