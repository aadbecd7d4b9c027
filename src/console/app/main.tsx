/** The console: which page the address asks for. Every page is one load, so that a browser's own ways work. */
import "../console.css";
import { render } from "preact";
import { DelegationPage } from "./delegation-page.tsx";
import { ExecutorsPage } from "./executors-page.tsx";
import { GatePage } from "./gate-page.tsx";
import { ListPage } from "./list-page.tsx";
import { PlanPage } from "./plan-page.tsx";
import { PoliciesPage } from "./policies-page.tsx";

function Page({ query }: { query: URLSearchParams }) {
  const [delegation, plan, mission] = ["delegation", "plan", "mission"].map((name) => query.get(name));
  if (delegation) return <DelegationPage id={delegation} />;
  if (plan) return <PlanPage id={plan} kind="plans" />;
  if (mission) return <PlanPage id={mission} kind="missions" />;
  switch (query.get("view")) {
    case "executors":
      return <ExecutorsPage />;
    case "policies":
      return <PoliciesPage query={query} />;
    case "gate":
      return <GatePage />;
    default:
      return <ListPage query={query} />;
  }
}

const root = document.getElementById("app");
if (root) render(<Page query={new URLSearchParams(document.location.search)} />, root);
