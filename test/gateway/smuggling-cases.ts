/**
 * Requests that two readers could read differently, and their plain twins. Spelled for a proxy (`at` is `http://host`) or
 * for the inside of a tunnel (`at` is empty).
 */

/** What is sent, and the code and status of the refusal. */
export type Refused = Record<string, [() => string | Buffer, string, number?]>;
/** What is sent, and the body that upstream must see. */
export type Passing = Record<string, [() => string, string]>;

const lineFor =
  (host: string, at: string) =>
  (method: string, extra: string, body = "") =>
    `${method} ${at}/x HTTP/1.1\r\nHost: ${host}\r\n${extra}\r\n${body}`;

export function refusedCases(host: string, at: string): Refused {
  const line = lineFor(host, at);
  return {
    "two Host headers": [() => line("GET", `Host: evil.example\r\n`), "host-duplicate"],
    "two equal Host headers": [() => line("GET", `hOST: ${host}\r\n`), "host-duplicate"],
    "no Host header": [() => `GET ${at}/ HTTP/1.1\r\n\r\n`, "host-missing"],
    "absolute form unlike Host": [() => `GET ${at}/ HTTP/1.1\r\nHost: evil.example\r\n\r\n`, "host-mismatch"],
    "another port in Host": [() => `GET ${at}/ HTTP/1.1\r\nHost: 127.0.0.1:1\r\n\r\n`, "host-mismatch"],
    "Host with a path": [() => `GET ${at}/ HTTP/1.1\r\nHost: ${host}/x\r\n\r\n`, "host-invalid"],
    "origin form for another Host": [() => `GET /x HTTP/1.1\r\nHost: ${host}\r\n\r\n`, "host-mismatch"],
    userinfo: [() => `GET http://user:pass@${host}/ HTTP/1.1\r\nHost: ${host}\r\n\r\n`, "userinfo"],
    "userinfo that looks like the host": [
      () => `GET ${at}@evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n`,
      "userinfo",
    ],
    "body on GET": [() => line("GET", "Content-Length: 3\r\n", "abc"), "body-refused"],
    "chunked body on GET": [
      () => line("GET", "Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\n\r\n"),
      "body-refused",
    ],
    "body on HEAD": [() => line("HEAD", "Content-Length: 3\r\n", "abc"), "body-refused"],
    "h2c upgrade": [
      () =>
        line(
          "GET",
          "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n",
        ),
      "upgrade",
    ],
    "Upgrade without Connection": [() => line("GET", "Upgrade: websocket\r\n"), "upgrade"],
    trailer: [() => line("POST", "Trailer: X-T\r\nTransfer-Encoding: chunked\r\n", "0\r\nX-T: 1\r\n\r\n"), "trailer"],
    "unknown expectation": [() => line("POST", "Expect: 200-ok\r\nContent-Length: 0\r\n"), "expectation", 417],
    "gzip transfer coding": [() => line("POST", "Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), "framing"],
    "HTTP/1.0": [() => `GET ${at}/ HTTP/1.0\r\nHost: ${host}\r\n\r\n`, "version"],
    "HTTP/0.9": [() => `GET ${at}/\r\n\r\n`, "version"],
    TRACE: [() => line("TRACE", ""), "method", 405],
    PROPFIND: [() => line("PROPFIND", ""), "method", 405],
    "OPTIONS *": [() => `OPTIONS * HTTP/1.1\r\nHost: ${host}\r\n\r\n`, "target"],
    "https in a plain request": [() => `GET https://${host}/ HTTP/1.1\r\nHost: ${host}\r\n\r\n`, "scheme"],
    ftp: [() => `GET ftp://${host}/ HTTP/1.1\r\nHost: ${host}\r\n\r\n`, "target"],
    fragment: [() => `GET ${at}/a#b HTTP/1.1\r\nHost: ${host}\r\n\r\n`, "target"],
    backslash: [() => `GET ${at}\\@evil.example/ HTTP/1.1\r\nHost: ${host}\r\n\r\n`, "malformed"],
    "CL and TE": [() => line("POST", "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), "malformed"],
    "TE and CL": [() => line("POST", "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", "0\r\n\r\n"), "malformed"],
    "two lengths": [() => line("POST", "Content-Length: 3\r\nContent-Length: 4\r\n", "abcd"), "malformed"],
    "a list of lengths": [() => line("POST", "Content-Length: 3, 3\r\n", "abc"), "malformed"],
    "a signed length": [() => line("POST", "Content-Length: +3\r\n", "abc"), "malformed"],
    "chunked twice": [
      () => line("POST", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
      "malformed",
    ],
    "chunked not last": [() => line("POST", "Transfer-Encoding: chunked, gzip\r\n", "0\r\n\r\n"), "malformed"],
    "a vertical tab before chunked": [
      () => line("POST", "Transfer-Encoding: \x0bchunked\r\n", "0\r\n\r\n"),
      "malformed",
    ],
    "obs-fold": [() => line("GET", "X-A: 1\r\n 2\r\n"), "malformed"],
    "bare LF": [() => line("GET", "X-A: 1\n"), "malformed"],
    "bare LF everywhere": [() => `GET ${at}/ HTTP/1.1\nHost: ${host}\n\n`, "malformed"],
    "bare CR": [() => line("GET", "X-A: 1\rX-B: 2\r\n"), "malformed"],
    "NUL in a value": [() => line("GET", "X-A: 1\0\r\n"), "malformed"],
    "space before the colon": [() => line("GET", "X-A : 1\r\n"), "malformed"],
    "an empty field name": [() => line("GET", ": 1\r\n"), "malformed"],
    "a folded first field": [() => `GET ${at}/ HTTP/1.1\r\n Host: x\r\nHost: ${host}\r\n\r\n`, "malformed"],
    "the h2 preface": [() => "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "malformed"],
    "HTTP/1.2": [() => `GET ${at}/ HTTP/1.2\r\nHost: ${host}\r\n\r\n`, "malformed"],
    "not ASCII": [() => Buffer.from(`GET ${at}/é HTTP/1.1\r\nHost: ${host}\r\n\r\n`), "malformed"],
    "a header of 20 KiB": [() => line("GET", `X-A: ${"a".repeat(20_000)}\r\n`), "header-too-large", 431],
    "300 header fields": [() => line("GET", "A:\r\n".repeat(300)), "header-fields", 431],
    "CONNECT unlike Host": [() => `CONNECT ${host} HTTP/1.1\r\nHost: evil.example:443\r\n\r\n`, "host-mismatch"],
    "CONNECT with two Hosts": [
      () => `CONNECT ${host} HTTP/1.1\r\nHost: ${host}\r\nHost: evil.example\r\n\r\n`,
      "host-duplicate",
    ],
    "CONNECT with userinfo": [() => `CONNECT user@${host} HTTP/1.1\r\nHost: ${host}\r\n\r\n`, "target"],
    "CONNECT with a body": [
      () => `CONNECT ${host} HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 3\r\n\r\nabc`,
      "body-refused",
    ],
    "CONNECT with chunks": [
      () => `CONNECT ${host} HTTP/1.1\r\nHost: ${host}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      "body-refused",
    ],
    "CONNECT without a port": [() => `CONNECT 127.0.0.1 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`, "target"],
    "CONNECT with a URL": [() => `CONNECT ${at}/ HTTP/1.1\r\nHost: ${host}\r\n\r\n`, "target"],
  };
}

export function passingCases(host: string, at: string): Passing {
  const line = lineFor(host, at);
  return {
    "a GET": [() => line("GET", ""), ""],
    "a GET of length zero": [() => line("GET", "Content-Length: 0\r\n"), ""],
    "Host in capitals": [
      () =>
        `GET ${at === "" ? "" : at.toUpperCase().replace("HTTP", "http")}/ HTTP/1.1\r\nHost: ${host.toUpperCase()}\r\n\r\n`,
      "",
    ],
    "a POST with a length": [() => line("POST", "Content-Length: 3\r\n", "abc"), "abc"],
    "a POST in chunks": [() => line("POST", "Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\n\r\n"), "abc"],
    "chunk extensions, which do not go upstream": [
      () => line("POST", "Transfer-Encoding: chunked\r\n", "3;a=b\r\nabc\r\n0\r\n\r\n"),
      "abc",
    ],
    "unannounced trailers, which do not either": [
      () => line("POST", "Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n"),
      "abc",
    ],
    "Expect: 100-continue": [() => line("POST", "Expect: 100-continue\r\nContent-Length: 3\r\n", "abc"), "abc"],
    "a HEAD": [() => line("HEAD", ""), ""],
    "an empty PUT": [() => line("PUT", "Content-Length: 0\r\n"), ""],
  };
}
