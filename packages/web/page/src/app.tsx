import { type ReactNode, Suspense, useEffect, useState } from "react";

import { useTexts } from "./i18n/text.ts";
import { loadCharacters } from "./people/characters.ts";
import { CardDrop } from "./people/card-drop.tsx";
import { StartPage } from "./people/start-page.tsx";
import { Icon, IconButton } from "./shell/icons.tsx";
import { lazily } from "./shell/lazily.tsx";
import { Notices, attempt } from "./shell/notices.tsx";
import { Sidebar } from "./shell/sidebar.tsx";
import { SignIn } from "./shell/sign-in.tsx";
import { loadConversations } from "./state/conversations.ts";
import { route } from "./state/route.ts";
import { enter, session, untilReached } from "./state/session.ts";
import { useStore } from "./state/store.ts";
import { TalkPage } from "./talk/talk-page.tsx";

const CharactersPage = lazily(async () => (await import("./people/characters-page.tsx")).CharactersPage);
const CharacterPage = lazily(async () => (await import("./people/character-page.tsx")).CharacterPage);
const MemoryPage = lazily(async () => (await import("./people/memory-page.tsx")).MemoryPage);

export function App(): ReactNode {
  const state = useStore(session);
  const { t } = useTexts();
  switch (state.at) {
    case "asking":
      return <p className="whole-page">{t("app.loading")}</p>;
    case "unreachable":
      return (
        <main className="whole-page">
          <h1>{t("app.unreachable")}</h1>
          <p>{state.error}</p>
          <button type="button" className="button primary" onClick={() => void enter()}>{t("app.tryAgain")}</button>
        </main>
      );
    case "signed-out":
      return <SignIn key={state.service?.url} why={state.why} service={state.service} />;
    case "in":
      return <Inside />;
  }
}

function Inside(): ReactNode {
  const { t } = useTexts();
  const at = useStore(route);
  const [isListShown, showList] = useState(false);
  useEffect(() => {
    void loadConversations();
    void attempt(() => untilReached(loadCharacters));
  }, []);
  useEffect(() => showList(false), [at]);
  const menu = (
    <IconButton icon="menu" label={t("app.menu")} className="menu-button" isExpanded={isListShown} onClick={() => showList(!isListShown)} />
  );
  return (
    <div className={isListShown ? "page list-shown" : "page"}>
      <a className="skip" href="#main" onClick={(event) => { event.preventDefault(); document.getElementById("main")?.focus(); }}>{t("app.skip")}</a>
      <Sidebar onClose={() => showList(false)} />
      {isListShown ? <button type="button" className="veil" aria-label={t("app.close")} onClick={() => showList(false)}><Icon name="close" /></button> : null}
      <main id="main" tabIndex={-1}>
        <Suspense fallback={<p className="whole-page">{t("app.loading")}</p>}>
          {at.at === "talk" ? <TalkPage key={at.id} id={at.id} menu={menu} /> : null}
          {at.at === "start" ? <StartPage key={at.characterId ?? ""} characterId={at.characterId} menu={menu} /> : null}
          {at.at === "characters" ? <CharactersPage menu={menu} /> : null}
          {at.at === "character" ? <CharacterPage key={at.id ?? "new"} id={at.id} menu={menu} /> : null}
          {at.at === "memory" ? <MemoryPage menu={menu} /> : null}
        </Suspense>
      </main>
      <CardDrop />
      <Notices />
    </div>
  );
}
