/** j, k and / on the list: they move the focus, so that a screen reader follows and Enter is the browser's own. */
import { useEffect } from "preact/hooks";

const stored = "sallyport-keys";

/** Whether single keys do something. They can be turned off (WCAG 2.1.4): speech input types letters by mistake. */
export const areKeysOn = (): boolean => localStorage.getItem(stored) !== "off";
export const setKeys = (on: boolean): void => localStorage.setItem(stored, on ? "on" : "off");

/** Listens while the list is shown. */
export function useListKeys(): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (!areKeysOn() || event.ctrlKey || event.altKey || event.metaKey) return;
      const at = event.target;
      if (at instanceof HTMLElement && at.closest("input, select, textarea, [contenteditable]")) return;
      if (event.key === "/") {
        event.preventDefault();
        document.querySelector<HTMLElement>("#words")?.focus();
      } else if (event.key === "j" || event.key === "k") {
        event.preventDefault();
        move(event.key === "j" ? 1 : -1);
      }
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, []);
}

function move(by: 1 | -1): void {
  const links = [...document.querySelectorAll<HTMLAnchorElement>(".list tbody th a")];
  const at = links.indexOf(document.activeElement as HTMLAnchorElement);
  const next = links[at < 0 ? 0 : Math.max(0, Math.min(links.length - 1, at + by))];
  next?.focus();
  next?.scrollIntoView({ block: "nearest" });
}
