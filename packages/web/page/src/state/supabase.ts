/** Sessions of a Supabase project: its auth server's protocol (github.com/supabase/auth, openapi.yaml). */

/** Where people sign in, as the server tells it; nothing in it is a secret. */
export interface SignInService {
  kind: string;
  url: string;
  public_key: string;
}

export interface Grant {
  access_token: string;
  refresh_token: string;
  /** Seconds. */
  expires_in: number;
  user?: { email?: string };
}

/** The auth server said no; it may be asked again where that was in passing. */
export class SignInRefused extends Error {
  readonly code: string;
  readonly isPassing: boolean;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.name = "SignInRefused";
    this.code = code;
    this.isPassing = status === 429 || status >= 500;
  }
}

export function byPassword(service: SignInService, email: string, password: string): Promise<Grant> {
  return grant(service, "password", { email, password });
}

/** Go on with a session; its refresh token is good once. */
export function byRefreshToken(service: SignInService, refreshToken: string): Promise<Grant> {
  return grant(service, "refresh_token", { refresh_token: refreshToken });
}

/** End the session that a token belongs to; one that is gone already has ended. */
export async function endSession(service: SignInService, accessToken: string): Promise<void> {
  const answer = await ask(service, "logout?scope=local", { headers: { Authorization: `Bearer ${accessToken}` } });
  if (!answer.ok && ![401, 403, 404].includes(answer.status)) throw await refusal(answer);
}

async function grant(service: SignInService, kind: string, body: Record<string, string>): Promise<Grant> {
  const headers = { "Content-Type": "application/json" };
  const answer = await ask(service, `token?grant_type=${kind}`, { headers, body: JSON.stringify(body) });
  if (!answer.ok) throw await refusal(answer);
  return (await answer.json()) as Grant;
}

function ask({ url, public_key: key }: SignInService, path: string, init: { headers: Record<string, string>; body?: string }): Promise<Response> {
  const headers = { apikey: key, ...init.headers };
  return fetch(`${url}/${path}`, { ...init, method: "POST", headers, cache: "no-store", credentials: "omit", referrerPolicy: "no-referrer" });
}

/** Auth servers of different ages, and the gateway before them, each have a form of their own. */
async function refusal(answer: Response): Promise<SignInRefused> {
  const told = (await answer.json().catch(() => ({}))) as Record<string, unknown>;
  const words = [told.msg, told.message, told.error_description].find((one) => typeof one === "string");
  const code = [told.error_code, told.code, told.error].find((one) => typeof one === "string");
  return new SignInRefused(answer.status, String(code ?? ""), String(words ?? `HTTP ${answer.status}`));
}
