/** An audit report as one HTML file: rendered by the same views as the console's pages, with no script in it at all. */
import { createHash } from "node:crypto";
import type { DelegationPage } from "../domain/page.ts";
import { loadReportModule } from "./bundle.ts";
import type { ReportMarkup, ReportOptions } from "./report-options.ts";

export type { ReportOptions };

interface ReportModule {
  renderMarkup(pages: readonly DelegationPage[], options: ReportOptions): ReportMarkup;
}

const escapes: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;" };

/**
 * The pages as one self-contained file of HTML. Its policy lets a browser apply its own style, by hash, and nothing else: no
 * script, no picture, no request, whatever the ledger's texts say. Throws `console-missing`.
 */
export async function renderReport(
  pages: DelegationPage | readonly DelegationPage[],
  options: ReportOptions,
): Promise<string> {
  const { renderMarkup } = (await loadReportModule()) as ReportModule;
  const { body, style, title } = renderMarkup(Array.isArray(pages) ? pages : [pages as DelegationPage], options);
  const hash = createHash("sha256").update(style).digest("base64");
  const policy = `default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'`;
  const shownTitle = title.replace(/[&<>]/g, (one) => escapes[one] ?? one);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="referrer" content="no-referrer">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${shownTitle}</title>
<style>${style}</style>
</head>
<body>
${body}
</body>
</html>
`;
}
