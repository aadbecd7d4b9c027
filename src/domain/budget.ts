/** Accounts that what models cost is counted on. Types only. */

/** One cap that a request must be within. Left-out amounts are counted and not capped. */
export interface BudgetAccount {
  /** The same in every event that counts on it: `delegation:<id>`, `plan:<id>`, `executor-day:<harness>:<date>`. */
  id: string;
  /** Whose it is, for a person: `this delegation`. */
  whose: string;
  /** Where the caps are written, such as `budget`: a refusal names `budget.usd`. */
  rule: string;
  tokens?: number | undefined;
  /** Micro-dollars. */
  usd?: number | undefined;
}
