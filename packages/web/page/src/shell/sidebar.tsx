import type { ConversationSummary, SearchHit } from "@idolchat/client";
import { type ReactNode, Suspense, useEffect, useState } from "react";

import { type Key, useTexts } from "../i18n/text.ts";
import { Avatar } from "../people/avatar.tsx";
import { nameOf, useCharacter } from "../people/characters.ts";
import { conversations, loadConversations, loadOlder, previewOf } from "../state/conversations.ts";
import { go, route } from "../state/route.ts";
import { client, has } from "../state/session.ts";
import { useStore } from "../state/store.ts";
import { unmarked } from "../text/blocks.ts";
import { plain } from "../text/safe.ts";
import { Icon, IconButton } from "./icons.tsx";
import { lazily } from "./lazily.tsx";
import { attempt } from "./notices.tsx";
import { Settings } from "./settings.tsx";

const PersonasDialog = lazily(async () => (await import("../people/personas.tsx")).PersonasDialog);

export function Sidebar({ onClose }: { onClose: () => void }): ReactNode {
  const { t } = useTexts();
  const [searched, search] = useState("");
  const [isSettingsShown, showSettings] = useState(false);
  const [arePersonasShown, showPersonas] = useState(false);
  const at = useStore(route);
  return (
    <nav className="sidebar" aria-label={t("list.title")}>
      <header>
        <a className="brand" href="#/"><img src="./icon.svg" alt="" width="28" height="28" /> {t("app.name")}</a>
        <IconButton icon="close" label={t("app.close")} className="menu-button" onClick={onClose} />
      </header>
      <a className="button primary new" href="#/" aria-current={at.at === "start" ? "page" : undefined} onClick={onClose}><Icon name="plus" /> {t("list.new")}</a>
      {has("GET /conversations/search") ? <SearchField onSearch={search} /> : null}
      <div className="list" tabIndex={-1}>{searched ? <Found text={searched} /> : <Conversations />}</div>
      <footer>
        {has("GET /characters") ? <a href="#/characters" aria-current={at.at === "characters" ? "page" : undefined}><Icon name="people" /> {t("characters.title")}</a> : null}
        {has("GET /memory") ? <a href="#/memory" aria-current={at.at === "memory" ? "page" : undefined}><Icon name="memory" /> {t("memory.title")}</a> : null}
        {has("GET /personas") ? <button type="button" onClick={() => showPersonas(true)}><Icon name="person" /> {t("persona.title")}</button> : null}
        <button type="button" onClick={() => showSettings(true)}><Icon name="settings" /> {t("settings.title")}</button>
      </footer>
      {arePersonasShown ? <Suspense fallback={null}><PersonasDialog onClose={() => showPersonas(false)} /></Suspense> : null}
      {isSettingsShown ? <Settings onClose={() => showSettings(false)} /> : null}
    </nav>
  );
}

function SearchField({ onSearch }: { onSearch: (text: string) => void }): ReactNode {
  const { t } = useTexts();
  const [text, setText] = useState("");
  useEffect(() => {
    const timer = setTimeout(() => onSearch(text.trim()), 250);
    return () => clearTimeout(timer);
  }, [text, onSearch]);
  return (
    <label className="search">
      <Icon name="search" />
      <input type="search" value={text} placeholder={t("list.search")} aria-label={t("list.search")} onChange={(event) => setText(event.target.value)} />
    </label>
  );
}

function Found({ text }: { text: string }): ReactNode {
  const { t } = useTexts();
  const [hits, setHits] = useState<readonly SearchHit[]>();
  useEffect(() => {
    let isWanted = true;
    void attempt(async () => {
      const found = await client.searchConversations(text, { limit: 50 });
      if (isWanted) setHits(found.data);
    });
    return () => { isWanted = false; };
  }, [text]);
  if (!hits) return <p className="quiet">{t("app.loading")}</p>;
  return (
    <>
      <p className="quiet" role="status">{hits.length ? t("list.found", { count: hits.length }) : t("list.nothing")}</p>
      <ul>{hits.map((hit) => <li key={`${hit.conversation_id} ${hit.message_id}`}><Hit hit={hit} /></li>)}</ul>
    </>
  );
}

function Hit({ hit }: { hit: SearchHit }): ReactNode {
  const character = useCharacter(hit.character_id);
  return (
    <a className="conversation" href={`#/c/${hit.conversation_id}`}>
      <Avatar of={character} />
      <span className="lines">
        <When at={hit.timestamp} />
        <span className="snippet" dir="auto">{marked(hit)}</span>
      </span>
    </a>
  );
}

/** The snippet, with what matches in it. Ranges count characters, which a string of JavaScript does not. */
function marked({ snippet, matches }: SearchHit): ReactNode[] {
  const letters = [...snippet];
  const parts: ReactNode[] = [];
  let at = 0;
  for (const [from, to] of matches) {
    parts.push(plain(letters.slice(at, from).join("")), <mark key={from}>{plain(letters.slice(from, to).join(""))}</mark>);
    at = to;
  }
  return [...parts, plain(letters.slice(at).join(""))];
}

const PERIODS: readonly [Key, number][] = [["list.today", 0], ["list.yesterday", 1], ["list.week", 6], ["list.earlier", Infinity]];

function periodOf(at: string): Key {
  const midnight = new Date().setHours(0, 0, 0, 0);
  const days = Math.ceil((midnight - Date.parse(at)) / 86_400_000);
  return PERIODS.find(([, most]) => days <= most)![0];
}

function Conversations(): ReactNode {
  const { t } = useTexts();
  const { at, data, next } = useStore(conversations);
  if (at === "loading") return <p className="quiet">{t("app.loading")}</p>;
  const groups = Map.groupBy(data, ({ updated_at: updatedAt }) => periodOf(updatedAt));
  return (
    <>
      {at === "failed" ? <p className="quiet">{t("list.failed")} <button type="button" className="link" onClick={() => void loadConversations()}>{t("app.tryAgain")}</button></p> : null}
      {data.length || at === "failed" ? null : <p className="quiet">{t("list.empty")}</p>}
      {[...groups].map(([period, some]) => (
        <section key={period}>
          <h2>{t(period)}</h2>
          <ul>{some.map((one) => <li key={one.id}><Line of={one} /></li>)}</ul>
        </section>
      ))}
      {next ? <button type="button" className="button more" onClick={() => void attempt(loadOlder)}>{t("list.more")}</button> : null}
    </>
  );
}

function Line({ of }: { of: ConversationSummary }): ReactNode {
  const { t } = useTexts();
  const at = useStore(route);
  const character = useCharacter(of.character_id);
  const [preview, setPreview] = useState("");
  const name = character ? plain(nameOf(character)) : t("talk.label");
  useEffect(() => {
    let isWanted = true;
    void previewOf(of).then((text) => isWanted && setPreview(text));
    return () => { isWanted = false; };
  }, [of]);
  return (
    <a className="conversation" href={`#/c/${of.id}`} aria-current={at.at === "talk" && at.id === of.id ? "page" : undefined} onClick={() => go(`#/c/${of.id}`)}>
      <Avatar of={character} />
      <span className="lines">
        <span className="first"><bdi className="name">{name}</bdi><When at={of.updated_at} /></span>
        <span className="snippet" dir="auto">{of.status === "damaged" ? t("list.damaged") : plain(unmarked(preview))}</span>
      </span>
    </a>
  );
}

export function When({ at }: { at: string }): ReactNode {
  const { locale } = useTexts();
  const time = new Date(at);
  const isToday = time.toDateString() === new Date().toDateString();
  const format: Intl.DateTimeFormatOptions = isToday ? { hour: "numeric", minute: "2-digit" } : { month: "short", day: "numeric" };
  return <time dateTime={at} title={time.toLocaleString(locale)}>{new Intl.DateTimeFormat(locale, format).format(time)}</time>;
}
