/** Anchors of a page that is built after it was opened: the place is shown once it is there, and what it is in is opened. */
import { useEffect } from "preact/hooks";

function show(): void {
  const id = decodeURIComponent(document.location.hash.slice(1));
  const place = id === "" ? null : document.getElementById(id);
  if (!place) return;
  for (let at: Element | null = place; at; at = at.parentElement) if (at instanceof HTMLDetailsElement) at.open = true;
  place.scrollIntoView();
}

/** Follows the address's anchor when the page is there, and each that is chosen later. */
export function useAnchorOpen(isThere: boolean): void {
  useEffect(() => {
    if (!isThere) return;
    show();
    addEventListener("hashchange", show);
    return () => removeEventListener("hashchange", show);
  }, [isThere]);
}
