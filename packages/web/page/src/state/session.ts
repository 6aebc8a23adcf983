import { ApiError, ConnectionLost, IdolchatClient } from "@idolchat/client";

import { Store } from "./store.ts";

export interface Session {
  login: "none" | "needed" | "given";
  user_id: string | null;
  scopes: string[];
  is_operator: boolean;
  expires_at: string | null;
  routes: string[];
}

type State =
  | { at: "asking" }
  | { at: "unreachable"; error: string }
  | { at: "signed-out"; isRefused: boolean }
  | { at: "in"; session: Session };

const KEY = "idolchat.token";
const RETRY_MS = 3000;

/** A key stays in this tab; in the browser only if the person says so. */
function keptToken(): string | undefined {
  return sessionStorage.getItem(KEY) ?? localStorage.getItem(KEY) ?? undefined;
}

let token = keptToken();

export const session = new Store<State>({ at: "asking" });
export const connection = new Store<"lost" | "restored">("restored");

export const client = new IdolchatClient({
  token: () => token,
  onConnection: (state) => connection.set(state),
});

/** Ask until the server can be reached. Rejects with what it says. */
export async function untilReached<T>(ask: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof ConnectionLost)) throw error;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}

export async function enter(): Promise<void> {
  try {
    const found = await client.json<Session>("GET", "web/session");
    session.set(found.login === "needed" ? { at: "signed-out", isRefused: false } : { at: "in", session: found });
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) session.set({ at: "signed-out", isRefused: true });
    else session.set({ at: "unreachable", error: error instanceof Error ? error.message : String(error) });
  }
}

export async function signIn(given: string, isKept: boolean): Promise<void> {
  token = given.trim();
  sessionStorage.setItem(KEY, token);
  if (isKept) localStorage.setItem(KEY, token);
  await enter();
  if (session.get().at !== "in") forget();
}

export function signOut(): void {
  forget();
  location.hash = "#/";
  location.reload(); // nothing of what was shown stays in memory
}

function forget(): void {
  token = undefined;
  sessionStorage.clear();
  localStorage.removeItem(KEY);
}

/** The token is not good any more. */
export function expire(): void {
  forget();
  session.set({ at: "signed-out", isRefused: true });
}

export function has(route: string): boolean {
  const state = session.get();
  return state.at === "in" && state.session.routes.includes(route);
}

export function needsToken(): boolean {
  return token !== undefined;
}
