/** What a report is asked for, and what its views give for it. */

export interface ReportOptions {
  title?: string;
  /** When it was made, as an ISO time. */
  made: string;
  /** The host's version. */
  version: string;
  /** What was asked for, such as `since 2026-07-01`. */
  asked?: string;
}

/** The report's markup, and the style that its policy names by hash. */
export interface ReportMarkup {
  body: string;
  style: string;
  title: string;
}
