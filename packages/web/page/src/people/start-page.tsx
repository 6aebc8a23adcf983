import { type Conversation, newId } from "@idolchat/client";
import { type ReactNode, useState } from "react";

import { useTexts } from "../i18n/text.ts";
import { Icon } from "../shell/icons.tsx";
import { attempt } from "../shell/notices.tsx";
import { refreshConversations } from "../state/conversations.ts";
import { go } from "../state/route.ts";
import { client, has } from "../state/session.ts";
import { useStore } from "../state/store.ts";
import { plain } from "../text/safe.ts";
import { Composer } from "../talk/composer.tsx";
import { newTalk } from "../talk/talk.ts";
import { Avatar } from "./avatar.tsx";
import { chooseCard } from "./card-drop.tsx";
import { type Character, characters, mayChange, nameOf, useCharacter, useRecord } from "./characters.ts";

/** Where a conversation begins. With one character there is nothing to choose. */
export function StartPage({ characterId, menu }: { characterId: string | undefined; menu: ReactNode }): ReactNode {
  const { t } = useTexts();
  const { at, data } = useStore(characters);
  const named = useCharacter(characterId);
  const character = named ?? (data.length === 1 && characterId === undefined ? data[0] : undefined);
  if (at === "loading") return <Frame menu={menu}><p className="quiet center" role="status">{t("app.loading")}</p></Frame>;
  if (character) return <Frame menu={menu}><Hello character={character} /></Frame>;
  if (!data.length || characterId === "nobody") return <Frame menu={menu}><Hello character={undefined} /></Frame>;
  return <Frame menu={menu}><Choice data={data} /></Frame>;
}

function Frame({ menu, children }: { menu: ReactNode; children: ReactNode }): ReactNode {
  return <div className="start"><header className="bar bare">{menu}</header>{children}</div>;
}

function Hello({ character }: { character: Character | undefined }): ReactNode {
  const { t } = useTexts();
  const { data } = useStore(characters);
  const [isBeginning, begin] = useState(false);
  const name = character ? plain(nameOf(character)) : undefined;
  const record = useRecord(character?.id, character?.version)?.character;
  const greets = character && (record?.first_mes || record?.alternate_greetings?.length) && has("POST /conversations");
  const letBegin = (): void => {
    begin(true);
    void attempt(() => greeted(character!.id)).finally(() => begin(false));
  };
  return (
    <div className="hello">
      <div className="who">
        <Avatar of={character} size="large" />
        <h1>{name ? <bdi>{name}</bdi> : t("start.helloPlain")}</h1>
        {record?.creator_notes ? <p className="about" dir="auto">{plain(record.creator_notes).slice(0, 400)}</p> : null}
        <div className="buttons">
          {greets ? <button type="button" className="button primary" disabled={isBeginning} onClick={letBegin}>{t("start.begin", { name: name! })}</button> : null}
          {data.length ? <a className="button" href="#/characters">{t("start.others")}</a> : null}
          {character && mayChange(character) && has("PATCH /characters/{character_id}") ? <a className="button" href={`#/character/${character.id}`}><Icon name="edit" /> {t("do.edit")}</a> : null}
        </div>
      </div>
      <Composer
        place={`with-${character?.id ?? "nobody"}`}
        name={name}
        onSend={(content) => {
          const talk = newTalk(character?.id);
          talk.send(content, character?.id);
          go(`#/c/${talk.id}`);
        }}
      />
    </div>
  );
}

/** Begin a conversation with the character's greeting. */
async function greeted(characterId: string): Promise<void> {
  const headers = { "Idempotency-Key": `"${newId()}"` };
  const conversation = await client.json<Conversation>("POST", "conversations", { body: { character_id: characterId }, headers });
  refreshConversations();
  go(`#/c/${conversation.id}`);
}

function Choice({ data }: { data: readonly Character[] }): ReactNode {
  const { t } = useTexts();
  return (
    <div className="choice">
      <h1>{t("start.title")}</h1>
      <ul className="cards">
        {data.map((one) => <li key={one.id}><CharacterCard of={one} /></li>)}
        <li><a className="card" href="#/with/nobody"><Avatar of={undefined} size="medium" /><span className="lines"><span className="name">{t("start.plain")}</span><span className="snippet">{t("start.plainHint")}</span></span></a></li>
        {has("POST /characters") ? (
          <li><a className="card dashed" href="#/character/new"><span className="avatar medium" data-hue="plain"><Icon name="plus" /></span><span className="lines"><span className="name">{t("character.new")}</span><span className="snippet">{t("character.newHint")}</span></span></a></li>
        ) : null}
        {has("POST /characters/import") ? (
          <li><button type="button" className="card dashed" onClick={chooseCard}><span className="avatar medium" data-hue="plain"><Icon name="upload" /></span><span className="lines"><span className="name">{t("start.import")}</span><span className="snippet">{t("start.importHint")}</span></span></button></li>
        ) : null}
      </ul>
    </div>
  );
}

export function CharacterCard({ of }: { of: Character }): ReactNode {
  const { t } = useTexts();
  return (
    <a className="card" href={`#/with/${of.id}`}>
      <Avatar of={of} size="medium" />
      <span className="lines">
        <bdi className="name">{plain(nameOf(of))}</bdi>
        <span className="snippet" dir="auto">{plain(of.tags?.filter((tag) => tag !== "starter").join(" · ") || (of.creator ? t("characters.by", { creator: of.creator }) : "")).slice(0, 160)}</span>
      </span>
    </a>
  );
}
