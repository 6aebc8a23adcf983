import { type ReactNode, useState } from "react";

import { useTexts } from "../i18n/text.ts";
import { Ask } from "../shell/dialog.tsx";
import { Icon, IconButton } from "../shell/icons.tsx";
import { attempt } from "../shell/notices.tsx";
import { client, has } from "../state/session.ts";
import { useStore } from "../state/store.ts";
import { saved } from "../text/download.ts";
import { plain } from "../text/safe.ts";
import { chooseCard } from "./card-drop.tsx";
import { type Character, characters, deleteCharacter, mayChange, nameOf } from "./characters.ts";
import { CharacterCard } from "./start-page.tsx";

export function CharactersPage({ menu }: { menu: ReactNode }): ReactNode {
  const { t } = useTexts();
  const { data } = useStore(characters);
  return (
    <div className="start">
      <header className="bar">
        {menu}
        <h1>{t("characters.title")}</h1>
        {has("POST /characters/import") ? <button type="button" className="button" onClick={chooseCard}><Icon name="upload" /> {t("start.import")}</button> : null}
        {has("POST /characters") ? <a className="button primary" href="#/character/new"><Icon name="plus" /> {t("character.new")}</a> : null}
      </header>
      <div className="choice">
        {data.length ? null : <p className="quiet">{t("characters.none")}</p>}
        <ul className="cards">{data.map((one) => <li key={one.id} className="with-actions"><CharacterCard of={one} /><CardActions of={one} /></li>)}</ul>
        <p className="quiet">{t("start.importHint")}</p>
      </div>
    </div>
  );
}

function CardActions({ of }: { of: Character }): ReactNode {
  const { t } = useTexts();
  const [isAsked, ask] = useState(false);
  const name = plain(nameOf(of));
  const download = (): void => void attempt(async () => {
    const response = await client.fetch(`characters/${of.id}/export`);
    await saved(response, name);
  });
  return (
    <span className="card-actions">
      {has("GET /characters/{character_id}/export") ? <IconButton icon="download" label={`${t("characters.export")}: ${name}`} onClick={download} /> : null}
      {mayChange(of) && has("PATCH /characters/{character_id}") ? <a className="icon-button" href={`#/character/${of.id}`} aria-label={t("character.edit", { name })} title={t("character.edit", { name })}><Icon name="edit" /></a> : null}
      {mayChange(of) && has("DELETE /characters/{character_id}") ? <IconButton icon="trash" label={t("characters.delete", { name })} onClick={() => ask(true)} /> : null}
      {isAsked ? <Ask question={t("characters.deleteAsk", { name })} action={t("characters.delete", { name })} onClose={() => ask(false)} onDo={() => void attempt(() => deleteCharacter(of))} /> : null}
    </span>
  );
}
