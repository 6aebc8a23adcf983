import type { ReactNode } from "react";

import { LANGUAGES, type Language, setLanguage, useTexts } from "../i18n/text.ts";
import { chosenModel, useModels } from "../state/model.ts";
import { signedInAs } from "../state/credential.ts";
import { session, signOut } from "../state/session.ts";
import { useStore } from "../state/store.ts";
import { plain } from "../text/safe.ts";
import { setTheme, type Theme, theme } from "../theme.ts";
import { Dialog } from "./dialog.tsx";
import { Icon } from "./icons.tsx";

export function Settings({ onClose }: { onClose: () => void }): ReactNode {
  const { t, language } = useTexts();
  const state = useStore(session);
  const who = signedInAs();
  return (
    <Dialog title={t("settings.title")} onClose={onClose}>
      <div className="fields">
        <label htmlFor="theme">{t("settings.theme")}</label>
        <select id="theme" defaultValue={theme()} onChange={(event) => setTheme(event.target.value as Theme)}>
          <option value="system">{t("settings.system")}</option>
          <option value="light">{t("settings.light")}</option>
          <option value="dark">{t("settings.dark")}</option>
        </select>
        <label htmlFor="language">{t("settings.language")}</label>
        <select id="language" value={language} onChange={(event) => setLanguage(event.target.value as Language)}>
          {Object.entries(LANGUAGES).map(([tag, name]) => <option key={tag} value={tag} lang={tag}>{name}</option>)}
        </select>
        <Models />
      </div>
      {state.at === "in" && state.session.login === "given" ? (
        <footer>
          {who ? <p className="quiet">{t("signIn.as", { email: plain(who) })}</p> : null}
          <button type="button" className="button" onClick={() => void signOut()}><Icon name="out" /> {t("signIn.out")}</button>
        </footer>
      ) : null}
    </Dialog>
  );
}

function Models(): ReactNode {
  const { t } = useTexts();
  const chosen = useStore(chosenModel);
  const known = useModels();
  return (
    <>
      <label htmlFor="model">{t("settings.model")}</label>
      <input id="model" list="models" value={chosen} placeholder={t("settings.modelDefault")} spellCheck={false} onChange={(event) => chosenModel.set(event.target.value.trim())} />
      <datalist id="models">{known.map(({ id, name }) => <option key={id} value={id}>{name ?? id}</option>)}</datalist>
    </>
  );
}
