import { type FormEvent, type ReactNode, useCallback, useEffect, useState } from "react";

import { useTexts } from "../i18n/text.ts";
import { Ask } from "../shell/dialog.tsx";
import { Icon, IconButton } from "../shell/icons.tsx";
import { attempt } from "../shell/notices.tsx";
import { When } from "../shell/sidebar.tsx";
import { client, has } from "../state/session.ts";
import { useStore } from "../state/store.ts";
import { EditBox } from "../talk/edit-box.tsx";
import { plain } from "../text/safe.ts";
import { characters, nameOf, useCharacter } from "./characters.ts";
import { Avatar } from "./avatar.tsx";

interface Note {
  id: string;
  text: string;
  pinned: boolean;
  character_id: string | null;
  written_by: string;
  sources: { conversation_id: string; message_id: string; quote?: string | null }[];
  said_at: string;
}

interface Recalled {
  message_id: string;
  conversation_id: string;
  character_id: string | null;
  role: string;
  said_at: string;
  text: string;
  matched: string[];
}

/** What is remembered of the person, to see, correct and forget. */
export function MemoryPage({ menu }: { menu: ReactNode }): ReactNode {
  const { t } = useTexts();
  const [notes, setNotes] = useState<readonly Note[]>();
  const read = useCallback(() => void attempt(async () => {
    const page = await client.json<{ data: Note[] }>("GET", "memory", { query: { limit: 100 } });
    setNotes(page.data);
  }), []);
  useEffect(read, [read]);
  return (
    <div className="start">
      <header className="bar">{menu}<h1>{t("memory.title")}</h1></header>
      <div className="choice">
        <p className="quiet">{t("memory.lead")}</p>
        <AddNote onAdded={read} />
        {notes?.length === 0 ? <p className="quiet">{t("memory.none")}</p> : null}
        <ul className="notes">{notes?.map((note) => <li key={note.id}><NoteLine note={note} onChanged={read} /></li>)}</ul>
        {has("POST /memory/search") ? <Recall /> : null}
      </div>
    </div>
  );
}

function AddNote({ onAdded }: { onAdded: () => void }): ReactNode {
  const { t } = useTexts();
  const [text, setText] = useState("");
  const add = (event: FormEvent): void => {
    event.preventDefault();
    void attempt(async () => {
      await client.json("POST", "memory", { body: { text } });
      setText("");
      onAdded();
    });
  };
  return (
    <form className="line-form" onSubmit={add}>
      <input value={text} aria-label={t("memory.add")} placeholder={t("memory.add")} dir="auto" onChange={(event) => setText(event.target.value)} />
      <button type="submit" className="button primary" disabled={!text.trim()}>{t("app.save")}</button>
    </form>
  );
}

function NoteLine({ note, onChanged }: { note: Note; onChanged: () => void }): ReactNode {
  const { t } = useTexts();
  const [isEdited, edit] = useState(false);
  const [isAsked, ask] = useState(false);
  const character = useCharacter(note.character_id);
  const change = (body: Partial<Pick<Note, "text" | "pinned">>): void => void attempt(async () => {
    await client.json("PATCH", `memory/${note.id}`, { body });
    onChanged();
  });
  const forget = (): void => void attempt(async () => {
    await client.json("DELETE", `memory/${note.id}`);
    onChanged();
  });
  if (isEdited) return <EditBox text={note.text} onCancel={() => edit(false)} onSave={(text) => { edit(false); change({ text }); }} />;
  return (
    <article className="note">
      <div>
        <p dir="auto" className="plain">{plain(note.text)}</p>
        <p className="quiet">
          {character ? <><bdi>{plain(nameOf(character))}</bdi> · </> : null}<When at={note.said_at} />
          {note.sources.map(({ conversation_id: id }) => <span key={id}> · <a href={`#/c/${id}`}>{t("talk.label")}</a></span>)}
        </p>
      </div>
      <span>
        <IconButton icon="check" label={t("memory.pin")} isPressed={note.pinned} onClick={() => change({ pinned: !note.pinned })} />
        <IconButton icon="edit" label={t("memory.edit")} onClick={() => edit(true)} />
        <IconButton icon="trash" label={t("memory.forget")} onClick={() => ask(true)} />
      </span>
      {isAsked ? <Ask question={t("memory.forgetAsk")} action={t("memory.forget")} onClose={() => ask(false)} onDo={forget} /> : null}
    </article>
  );
}

/** What a turn would recall for a question. */
function Recall(): ReactNode {
  const { t } = useTexts();
  const { data } = useStore(characters);
  const [text, setText] = useState("");
  const [characterId, setCharacter] = useState("");
  const [found, setFound] = useState<readonly Recalled[]>();
  const search = (event: FormEvent): void => {
    event.preventDefault();
    void attempt(async () => {
      const body = { text, limit: 20, ...(characterId ? { character_id: characterId } : {}) };
      const result = await client.json<{ data?: Recalled[]; messages?: Recalled[] }>("POST", "memory/search", { body });
      setFound(result.data ?? result.messages ?? []);
    });
  };
  return (
    <section className="recall">
      <form className="line-form" role="search" onSubmit={search}>
        {data.length ? (
          <select aria-label={t("characters.title")} value={characterId} onChange={(event) => setCharacter(event.target.value)}>
            <option value="">{t("start.plain")}</option>
            {data.map((one) => <option key={one.id} value={one.id}>{plain(nameOf(one))}</option>)}
          </select>
        ) : null}
        <input value={text} aria-label={t("memory.search")} placeholder={t("memory.search")} dir="auto" onChange={(event) => setText(event.target.value)} />
        <button type="submit" className="button" disabled={!text.trim()}><Icon name="search" /> {t("memory.search")}</button>
      </form>
      {found ? <p className="quiet" role="status">{found.length ? t("list.found", { count: found.length }) : t("list.nothing")}</p> : null}
      <ul className="notes">
        {found?.map((one) => <li key={one.message_id}><Said one={one} /></li>)}
      </ul>
    </section>
  );
}

function Said({ one }: { one: Recalled }): ReactNode {
  const { t } = useTexts();
  const character = useCharacter(one.character_id);
  const isReply = one.role !== "user";
  return (
    <a className="note" href={`#/c/${one.conversation_id}`}>
      {isReply ? <Avatar of={character} /> : null}
      <div>
        <p dir="auto" className="plain">{plain(one.text)}</p>
        <p className="quiet">{isReply && character ? <bdi>{plain(nameOf(character))}</bdi> : t("talk.you")} · <When at={one.said_at} /> · {one.matched.map(plain).join(", ")}</p>
      </div>
    </a>
  );
}
