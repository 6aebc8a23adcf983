import { ApiError, ConnectionLost, IdolchatClient } from "@idolchat/client";

import { forgetCredential, isHeld, keepKey, keepSession, revoke, token } from "./credential.ts";
import { Store } from "./store.ts";
import { byPassword, type SignInService } from "./supabase.ts";

export interface Session {
  login: "none" | "needed" | "given";
  user_id: string | null;
  scopes: string[];
  is_operator: boolean;
  expires_at: string | null;
  routes: string[];
  sign_in: SignInService | null;
}

/** Why somebody who was in, or wanted to, is at the door. */
export type Reason = "refused" | "ended" | "unrevoked";

type State =
  | { at: "asking" }
  | { at: "unreachable"; error: string }
  | { at: "signed-out"; why?: Reason | undefined; service: SignInService | null }
  | { at: "in"; session: Session };

const UNREVOKED = "idolchat.unrevoked";
const RETRY_MS = 3000;

export const session = new Store<State>({ at: "asking" });
export const connection = new Store<"lost" | "restored">("restored");

export const client = new IdolchatClient({ token, onConnection: (state) => connection.set(state) });

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

export async function enter(why?: Reason): Promise<void> {
  const reason = why ?? (sessionStorage.getItem(UNREVOKED) ? "unrevoked" : undefined);
  sessionStorage.removeItem(UNREVOKED);
  try {
    const found = await client.json<Session>("GET", "web/session");
    session.set(found.login === "needed" ? { at: "signed-out", why: reason, service: found.sign_in } : { at: "in", session: found });
  } catch (error) {
    if (error instanceof ApiError && error.status === 401 && isHeld()) await leave(error);
    else session.set({ at: "unreachable", error: error instanceof Error ? error.message : String(error) });
  }
}

export async function signIn(key: string, isKept: boolean): Promise<void> {
  keepKey(key.trim(), isKept);
  await enter();
}

/** Rejects with what the auth server says. */
export async function signInByPassword(service: SignInService, email: string, password: string, isKept: boolean): Promise<void> {
  keepSession(service, await byPassword(service, email, password), isKept);
  await enter();
}

export async function signOut(): Promise<void> {
  const isRevoked = await revoke();
  forgetCredential();
  if (!isRevoked) sessionStorage.setItem(UNREVOKED, "yes");
  location.hash = "#/";
  location.reload(); // nothing of what was shown stays in memory
}

/** What was shown to the server is not good any more. */
export function expire(error: ApiError): void {
  void leave(error);
}

async function leave(error: ApiError): Promise<void> {
  forgetCredential();
  await enter(error.code === "session_ended" ? "ended" : "refused");
}

export function has(route: string): boolean {
  const state = session.get();
  return state.at === "in" && state.session.routes.includes(route);
}

export function needsToken(): boolean {
  return isHeld();
}
