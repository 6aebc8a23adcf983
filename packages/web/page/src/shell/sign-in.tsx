import { type FormEvent, type ReactNode, useState } from "react";

import { type Key, type Texts, useTexts } from "../i18n/text.ts";
import { type Reason, signIn, signInByPassword } from "../state/session.ts";
import { type SignInService, SignInRefused } from "../state/supabase.ts";
import { plain } from "../text/safe.ts";

const REASONS: Record<Reason, Key> = { refused: "signIn.refused", ended: "signIn.ended", unrevoked: "signIn.unrevoked" };
/** What the auth server calls it, and how it is said here. */
const REFUSALS: Record<string, Key> = {
  invalid_credentials: "signIn.wrong",
  email_not_confirmed: "signIn.unconfirmed",
  over_request_rate_limit: "signIn.tooOften",
  email_provider_disabled: "signIn.notByPassword",
  user_banned: "signIn.banned",
};

export function SignIn({ why, service }: { why: Reason | undefined; service: SignInService | null }): ReactNode {
  const { t } = useTexts();
  const [isByKey, byKey] = useState(service === null);
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string>();
  async function submit(event: FormEvent<HTMLFormElement>): Promise<void> {
    event.preventDefault();
    const given = new FormData(event.currentTarget);
    const said = (name: string): string => String(given.get(name) ?? "");
    const isKept = given.get("keep") === "on";
    setBusy(true);
    setProblem(undefined);
    try {
      if (service && !isByKey) await signInByPassword(service, said("email").trim(), said("password"), isKept);
      else await signIn(said("token"), isKept);
    } catch (error) {
      setProblem(told(error, t));
    } finally {
      setBusy(false);
    }
  }
  const alert = problem ?? (why && t(REASONS[why]));
  return (
    <main className="whole-page">
      <form className="sign-in" onSubmit={(event) => void submit(event)}>
        <img src="./icon.svg" alt="" width="56" height="56" />
        <h1>{t("signIn.title")}</h1>
        <p>{t("signIn.lead")}</p>
        {service && !isByKey ? <ByPassword isWrong={problem !== undefined} /> : <ByKey isWrong={why === "refused"} />}
        {alert ? <p role="alert" className="error" dir="auto">{alert}</p> : null}
        <label className="check"><input name="keep" type="checkbox" /> {t("signIn.keep")}</label>
        <button type="submit" className="button primary" disabled={isBusy}>{t("signIn.submit")}</button>
        {service ? (
          <button type="button" className="link" onClick={() => { byKey(!isByKey); setProblem(undefined); }}>{t(isByKey ? "signIn.withPassword" : "signIn.withToken")}</button>
        ) : null}
      </form>
    </main>
  );
}

function ByKey({ isWrong }: { isWrong: boolean }): ReactNode {
  const { t } = useTexts();
  return (
    <>
      <label htmlFor="token">{t("signIn.token")}</label>
      <input id="token" name="token" type="password" required autoFocus autoComplete="off" spellCheck={false} aria-describedby="token-hint" aria-invalid={isWrong} />
      <p id="token-hint" className="hint">{t("signIn.hint")}</p>
    </>
  );
}

function ByPassword({ isWrong }: { isWrong: boolean }): ReactNode {
  const { t } = useTexts();
  return (
    <>
      <label htmlFor="email">{t("signIn.email")}</label>
      <input id="email" name="email" type="email" required autoFocus autoComplete="username" spellCheck={false} aria-invalid={isWrong} />
      <label htmlFor="password">{t("signIn.password")}</label>
      <input id="password" name="password" type="password" required autoComplete="current-password" aria-invalid={isWrong} />
    </>
  );
}

function told(error: unknown, t: Texts): string {
  if (!(error instanceof SignInRefused)) return t("signIn.unreachable");
  const known = REFUSALS[error.code];
  return known ? t(known) : t("signIn.failed", { message: plain(error.message) });
}
