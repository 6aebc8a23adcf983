import { type ReactNode, Suspense, useEffect, useMemo, useState } from "react";

import { useTexts } from "../i18n/text.ts";
import { Avatar } from "../people/avatar.tsx";
import { nameOf, useCharacter } from "../people/characters.ts";
import { Ask } from "../shell/dialog.tsx";
import { IconButton } from "../shell/icons.tsx";
import { lazily } from "../shell/lazily.tsx";
import { attempt } from "../shell/notices.tsx";
import { go } from "../state/route.ts";
import { connection, has } from "../state/session.ts";
import { useStore } from "../state/store.ts";
import { plain } from "../text/safe.ts";
import { Composer } from "./composer.tsx";
import { MessageList } from "./message-list.tsx";
import { type Talk, talkOf } from "./talk.ts";

const LookPanel = lazily(async () => (await import("../look/look-panel.tsx")).LookPanel);

const PersonaChoice = lazily(async () => (await import("../people/personas.tsx")).PersonaChoice);

export function TalkPage({ id, menu }: { id: string; menu: ReactNode }): ReactNode {
  const talk = useMemo(() => talkOf(id), [id]);
  useEffect(() => talk.open(), [talk]);
  const state = useStore(talk.state);
  const { t } = useTexts();
  const character = useCharacter(state.characterId);
  const name = character ? plain(nameOf(character)) : undefined;
  const [looked, look] = useState<string>();
  const title = name ?? t("talk.label");
  useEffect(() => {
    document.title = `${title} · ${t("app.name")}`;
    return () => { document.title = t("app.name"); };
  }, [title, t]);
  return (
    <div className={looked === undefined ? "talk" : "talk looked-into"}>
      <div className="column">
        <header className="bar">
          {menu}
          <Avatar of={character} />
          <h1><bdi>{title}</bdi></h1>
          {has("GET /personas") && state.at === "ready" && !talk.isNew ? <Suspense fallback={null}><PersonaChoice conversationId={talk.id} /></Suspense> : null}
          <IconButton icon="look" label={t("look.open")} isExpanded={looked !== undefined} onClick={() => look(looked === undefined ? "" : undefined)} />
          <DeleteButton talk={talk} />
        </header>
        <Lost />
        {state.isDamaged ? <p className="warning" role="alert">{t("talk.damaged")}</p> : null}
        <Body talk={talk} name={name} onLook={look} />
      </div>
      {looked === undefined ? null : (
        <Suspense fallback={null}><LookPanel talk={talk} turnId={looked || undefined} onClose={() => look(undefined)} /></Suspense>
      )}
    </div>
  );
}

function Body({ talk, name, onLook }: { talk: Talk; name: string | undefined; onLook: (turnId: string) => void }): ReactNode {
  const { t } = useTexts();
  const { at, problem } = useStore(talk.state);
  if (at === "loading") return <p className="quiet center" role="status">{t("app.loading")}</p>;
  if (at === "missing") return <div className="center"><p>{t("talk.missing")}</p><a className="button primary" href="#/">{t("list.new")}</a></div>;
  if (at === "failed") {
    return (
      <div className="center" role="alert">
        <p dir="auto">{problem?.message}</p>
        <button type="button" className="button primary" onClick={() => void talk.reload()}>{t("app.tryAgain")}</button>
      </div>
    );
  }
  return (
    <>
      <MessageList talk={talk} name={name} onLook={onLook} />
      <Composer place={talk.id} name={name} talk={talk} onSend={(content) => talk.send(content, talk.state.get().characterId)} />
    </>
  );
}

function Lost(): ReactNode {
  const { t } = useTexts();
  return <p className="lost" role="status">{useStore(connection) === "lost" ? t("app.lost") : null}</p>;
}

function DeleteButton({ talk }: { talk: Talk }): ReactNode {
  const { t } = useTexts();
  const [isAsked, ask] = useState(false);
  const remove = (): void => void attempt(async () => {
    await talk.delete();
    go("#/");
  });
  return (
    <>
      <IconButton icon="trash" label={t("do.deleteAll")} onClick={() => ask(true)} />
      {isAsked ? <Ask question={t("do.deleteAllAsk")} action={t("do.deleteAll")} onDo={remove} onClose={() => ask(false)} /> : null}
    </>
  );
}
