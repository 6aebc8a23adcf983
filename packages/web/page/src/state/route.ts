import { Store } from "./store.ts";

export type Route = { at: "start"; characterId?: string } | { at: "talk"; id: string } | { at: "characters" } | { at: "character"; id?: string } | { at: "memory" };

/** Addresses are behind `#`, so that the page works under whatever path it is served. */
function read(): Route {
  const [, place, id] = decodeURIComponent(location.hash).split("/");
  if (place === "c" && id) return { at: "talk", id };
  if (place === "with" && id) return { at: "start", characterId: id };
  if (place === "character" && id) return id === "new" ? { at: "character" } : { at: "character", id };
  if (place === "characters" || place === "memory") return { at: place };
  return { at: "start" };
}

export const route = new Store<Route>(read());
addEventListener("hashchange", () => route.set(read()));

export function go(to: string): void {
  location.hash = to;
}
