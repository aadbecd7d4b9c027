/** Every form in which a text is looked for: as it is, and as programs commonly write it into something else. Pure. */

/** The different byte strings that stand for `text` (printable ASCII), the text itself first. */
export function encodingsOf(text: string): Buffer[] {
  const cores = base64Cores(Buffer.from(text, "latin1"));
  const json = jsonForms(text);
  const html = htmlForms(text);
  const url = urlForms(text);
  const forms = [
    ...[text, ...json, ...html, ...url, ...hexForms(text), ...cores],
    // One encoding inside another, as a page's link or a JSON answer about a form has it.
    ...[...json.slice(0, 3), ...html.slice(0, 2), ...cores].flatMap(urlForms),
    ...html.slice(0, 5).flatMap((form) => jsonForms(form).slice(0, 3)),
    ...json.slice(0, 2).flatMap(htmlForms),
    ...[json[0], html[0], url[0], url[1], url[3]].flatMap((form) => base64Cores(Buffer.from(form ?? text, "latin1"))),
  ].map((form) => Buffer.from(form, "latin1"));
  const wide = Buffer.from(text, "utf16le");
  forms.push(wide, Buffer.from(wide).swap16());
  return [...new Map(forms.map((bytes) => [bytes.toString("latin1"), bytes])).values()];
}

/** Inside a JSON string: plainly, with `/` escaped (PHP), with HTML characters escaped (Go, Rails), and JSON in JSON. */
function jsonForms(text: string): string[] {
  const quoted = (inner: string) => JSON.stringify(inner).slice(1, -1);
  const unicode = (inner: string, wanted: RegExp) =>
    inner.replace(wanted, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
  const plain = quoted(text);
  const html = unicode(plain, /[<>&']/g);
  return [
    plain,
    plain.replaceAll("/", "\\/"),
    html,
    html.replace(/\\u00[0-9a-f]{2}/g, (c) => `\\u${c.slice(2).toUpperCase()}`),
    unicode(plain, /[<>&'=+]/g),
    quoted(plain),
    quoted(html),
  ];
}

const entities: Record<string, readonly string[]> = {
  "&": ["&amp;", "&#38;", "&#x26;"],
  "<": ["&lt;", "&#60;", "&#x3c;", "&#x3C;"],
  ">": ["&gt;", "&#62;", "&#x3e;", "&#x3E;"],
  '"': ["&quot;", "&#34;", "&#x22;"],
  "'": ["&#39;", "&apos;", "&#x27;", "&#039;"],
  "/": ["/", "&#x2F;", "&#47;", "&#x2f;"],
  "=": ["=", "&#x3D;", "&#61;", "&#x3d;"],
  "`": ["`", "&#x60;", "&#96;"],
};

/** In HTML and XML, by the entities that the common escapers choose. */
function htmlForms(text: string): string[] {
  const choices = [0, 1, 2, 3].map((choice) =>
    text.replace(/[&<>"'/=`]/g, (c) => {
      const known = entities[c] ?? [c];
      return known[Math.min(choice, known.length - 1)] ?? c;
    }),
  );
  // Escapers differ in whether they touch quotes at all.
  return [
    ...choices,
    text.replace(/[&<>]/g, (c) => entities[c]?.[0] ?? c),
    text.replace(/[&<>"]/g, (c) => entities[c]?.[0] ?? c),
    text.replace(/[&<>"']/g, (c) => entities[c]?.[c === "'" ? 2 : 0] ?? c),
    text.replace(/[&<>"']/g, (c) => entities[c]?.[c === "'" ? 3 : 0] ?? c),
    text.replace(/[&<>"']/g, (c) => entities[c]?.[c === '"' ? 1 : 0] ?? c),
  ];
}

/** In URLs and forms: what RFC 3986 leaves, what JavaScript leaves, `+` for a space, and every byte encoded. */
function urlForms(text: string): string[] {
  const byte = (c: string) => `%${c.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`;
  const component = encodeURIComponent(text);
  const strict = component.replace(/[!'()*]/g, byte);
  const forms = [
    component,
    strict,
    strict.replaceAll("%20", "+"),
    strict.replaceAll("%2F", "/"),
    strict.replace(/~/g, byte),
    component.replace(/[!'()]/g, byte),
    component.replaceAll("'", "%27"),
    component.replace(/[!'()~]/g, byte).replaceAll("%20", "+"),
    component.replaceAll("%20", "+"),
    encodeURI(text),
    // A path keeps what a query must encode.
    component.replace(/%(?:2F|3A|40|24|26|2B|2C|3B|3D)/g, decodeURIComponent),
    component.replaceAll("%2F", "/"),
    text.replace(/[\s\S]/g, byte),
  ];
  return forms.flatMap((form) => [form, form.replace(/%[0-9A-F]{2}/g, (code) => code.toLowerCase())]);
}

function hexForms(text: string): string[] {
  const hex = Buffer.from(text, "latin1").toString("hex");
  const pairs = hex.match(/../g) ?? [];
  return [hex, hex.toUpperCase(), pairs.map((pair) => `\\x${pair}`).join(""), pairs.join(":"), pairs.join(" ")];
}

/**
 * The part of base64 that depends on the bytes alone, for each of the three places at which they can begin in a group
 * of three. At most 4 bits at either end are in a digit shared with a neighbour, and are not looked for.
 */
export function base64Cores(bytes: Buffer): string[] {
  return [0, 1, 2].flatMap((before) => {
    const text = Buffer.concat([Buffer.alloc(before), bytes])
      .toString("base64")
      .replaceAll("=", "");
    const core = text.slice(Math.ceil((8 * before) / 6), Math.floor((8 * (before + bytes.length)) / 6));
    return [core, core.replaceAll("+", "-").replaceAll("/", "_")];
  });
}
