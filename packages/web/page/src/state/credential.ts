/** What this tab shows the server to be let in: a key, or the session of a person, which is renewed. */

import { ApiError } from "@idolchat/client";

import { byRefreshToken, endSession, type Grant, type SignInService, SignInRefused } from "./supabase.ts";

interface Held {
  service: SignInService;
  accessToken: string;
  refreshToken: string;
  /** By this machine's clock, in milliseconds. */
  expiresAt: number;
  email?: string | undefined;
}

type Credential = string | Held;

const KEY = "idolchat.token";
const RENEWED_BEFORE_MS = 60_000;

/** It is in this tab; in the browser only if the person says so, and then in no tab beside that. */
function place(): Storage {
  return sessionStorage.getItem(KEY) === null && localStorage.getItem(KEY) !== null ? localStorage : sessionStorage;
}

/** Read each time: another tab may have renewed it, or signed out. */
function held(): Credential | undefined {
  const kept = place().getItem(KEY);
  if (kept === null) return undefined;
  return kept.startsWith("{") ? (JSON.parse(kept) as Held) : kept;
}

function keep(credential: Credential, where: Storage): void {
  if (where === localStorage) sessionStorage.removeItem(KEY);
  where.setItem(KEY, typeof credential === "string" ? credential : JSON.stringify(credential));
}

function sessionOf(service: SignInService, given: Grant, email?: string): Held {
  return {
    service,
    accessToken: given.access_token,
    refreshToken: given.refresh_token,
    expiresAt: Date.now() + given.expires_in * 1000,
    email: given.user?.email ?? email,
  };
}

export function keepKey(key: string, isKept: boolean): void {
  keep(key, isKept ? localStorage : sessionStorage);
}

export function keepSession(service: SignInService, given: Grant, isKept: boolean): void {
  keep(sessionOf(service, given), isKept ? localStorage : sessionStorage);
}

export function isHeld(): boolean {
  return held() !== undefined;
}

/** Whose session it is; undefined for a key. */
export function signedInAs(): string | undefined {
  const credential = held();
  return typeof credential === "object" ? credential.email : undefined;
}

export function forgetCredential(): void {
  sessionStorage.clear();
  localStorage.removeItem(KEY);
}

/** The token to send. One that ends soon, or that the server refused, is renewed first. */
export async function token(refused?: string): Promise<string | undefined> {
  const credential = held();
  if (typeof credential !== "object") return credential;
  if (!isSpent(credential, refused)) return credential.accessToken;
  renewing ??= alone(() => renew(refused)).finally(() => (renewing = undefined));
  return renewing;
}

let renewing: Promise<string | undefined> | undefined;

function isSpent({ accessToken, expiresAt }: Held, refused?: string): boolean {
  return accessToken === refused || Date.now() > expiresAt - RENEWED_BEFORE_MS;
}

async function renew(refused?: string): Promise<string | undefined> {
  const credential = held();
  if (typeof credential !== "object" || !isSpent(credential, refused)) return typeof credential === "object" ? credential.accessToken : credential;
  try {
    const renewed = sessionOf(credential.service, await byRefreshToken(credential.service, credential.refreshToken), credential.email);
    if (held() === undefined) return undefined; // signed out meanwhile
    keep(renewed, place());
    return renewed.accessToken;
  } catch (error) {
    if (error instanceof SignInRefused && !error.isPassing) throw new ApiError(401, { message: error.message, code: "session_ended" });
    if (Date.now() < credential.expiresAt && credential.accessToken !== refused) return credential.accessToken;
    throw new TypeError("the session cannot be renewed now", { cause: error }); // as a request that did not arrive
  }
}

/** Tabs that share a session renew it one after the other, since a refresh token is good once. */
function alone<T>(work: () => Promise<T>): Promise<T> {
  const locks = (navigator as { locks?: LockManager }).locks; // not there without HTTPS
  return locks ? (locks.request("idolchat.session", work) as Promise<T>) : work();
}

/** End the session where it began. False where that could not be reached. */
export async function revoke(): Promise<boolean> {
  const credential = held();
  if (typeof credential !== "object") return true;
  try {
    await endSession(credential.service, (await token()) ?? credential.accessToken);
  } catch (error) {
    return error instanceof ApiError; // it has ended before
  }
  return true;
}
