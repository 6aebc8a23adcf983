import { type FormEvent, type ReactNode, useState } from "react";

import { useTexts } from "../i18n/text.ts";
import { signIn } from "../state/session.ts";

export function SignIn({ isRefused }: { isRefused: boolean }): ReactNode {
  const { t } = useTexts();
  const [isBusy, setBusy] = useState(false);
  async function submit(event: FormEvent<HTMLFormElement>): Promise<void> {
    event.preventDefault();
    const given = new FormData(event.currentTarget);
    setBusy(true);
    await signIn(String(given.get("token")), given.get("keep") === "on");
    setBusy(false);
  }
  return (
    <main className="whole-page">
      <form className="sign-in" onSubmit={(event) => void submit(event)}>
        <img src="./icon.svg" alt="" width="56" height="56" />
        <h1>{t("signIn.title")}</h1>
        <p>{t("signIn.lead")}</p>
        <label htmlFor="token">{t("signIn.token")}</label>
        <input id="token" name="token" type="password" required autoFocus autoComplete="off" spellCheck={false} aria-describedby="token-hint" aria-invalid={isRefused} />
        <p id="token-hint" className="hint">{t("signIn.hint")}</p>
        {isRefused ? <p role="alert" className="error">{t("signIn.refused")}</p> : null}
        <label className="check"><input name="keep" type="checkbox" /> {t("signIn.keep")}</label>
        <button type="submit" className="button primary" disabled={isBusy}>{t("signIn.submit")}</button>
      </form>
    </main>
  );
}
