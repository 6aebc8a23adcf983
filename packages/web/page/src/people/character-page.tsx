import { ApiError } from "@idolchat/client";
import { type FormEvent, type ReactNode, useEffect, useState } from "react";

import { type Key, useTexts } from "../i18n/text.ts";
import { Icon, IconButton } from "../shell/icons.tsx";
import { attempt, notify } from "../shell/notices.tsx";
import { useModels } from "../state/model.ts";
import { go } from "../state/route.ts";
import { client, has, session } from "../state/session.ts";
import { useStore } from "../state/store.ts";
import { plain } from "../text/safe.ts";
import { type CharacterRecord, lineOf, loadCharacters, mayChange, nameOf, usePicture } from "./characters.ts";
import { changesOf, type Draft, draftOf, EMPTY, type Field, isEmpty, merged, TEXTS } from "./draft.ts";
import { assetsWith, scaled } from "./picture.ts";
import "../styles/form.css";

/** Makes a character, or edits one. */
export function CharacterPage({ id, menu }: { id: string | undefined; menu: ReactNode }): ReactNode {
  const { t } = useTexts();
  const [record, setRecord] = useState<CharacterRecord | "missing">();
  useEffect(() => {
    if (!id) return;
    let isWanted = true;
    read(id).then(
      (found) => isWanted && setRecord(found),
      (error: unknown) => { if (error instanceof ApiError) setRecord("missing"); else notify(String(error), { isError: true }); },
    );
    return () => { isWanted = false; };
  }, [id]);
  const title = record && record !== "missing" ? t("character.edit", { name: plain(nameOf(lineOf(record))) }) : t("character.new");
  return (
    <div className="start">
      <header className="bar">{menu}<h1 dir="auto">{title}</h1></header>
      <div className="choice">
        {id && !record ? <p className="quiet" role="status">{t("app.loading")}</p> : null}
        {record === "missing" ? <p>{t("character.missing")}</p> : null}
        {!id ? <Form key="new" record={undefined} /> : null}
        {record && record !== "missing" ? (mayChange(record.character) ? <Form key={record.id} record={record} /> : <NotYours of={record} />) : null}
      </div>
    </div>
  );
}

function read(id: string): Promise<CharacterRecord> {
  return client.json<CharacterRecord>("GET", `characters/${encodeURIComponent(id)}`);
}

/** What is somebody else's can be copied, and the copy changed. */
function NotYours({ of }: { of: CharacterRecord }): ReactNode {
  const { t } = useTexts();
  const copy = (): void => void attempt(async () => {
    const made = await client.json<CharacterRecord>("POST", `characters/${of.id}/duplicate`, { body: {} });
    await loadCharacters();
    go(`#/character/${made.id}`);
  });
  return (
    <>
      <p>{t("character.notYours")}</p>
      {has("POST /characters/{character_id}/duplicate") ? <p><button type="button" className="button primary" onClick={copy}>{t("character.copy")}</button></p> : null}
    </>
  );
}

interface Work {
  draft: Draft;
  /** What the draft began with, and its version. */
  base: Draft;
  version: number;
  /** Fields that both have changed. */
  conflicts: readonly Field[];
  theirs: Draft | undefined;
}

function keyOf(id: string | undefined): string {
  return `idolchat.character.${id ?? "new"}`;
}

/** What was written outlives a reload; a newer version on the server is told when it is saved. */
function begun(record: CharacterRecord | undefined): Work {
  const kept = sessionStorage.getItem(keyOf(record?.id));
  if (kept) return JSON.parse(kept) as Work;
  const draft = record ? draftOf(record.character) : EMPTY;
  return { draft, base: draft, version: record?.version ?? 0, conflicts: [], theirs: undefined };
}

function Form({ record }: { record: CharacterRecord | undefined }): ReactNode {
  const { t } = useTexts();
  const state = useStore(session);
  const [work, setWork] = useState(() => begun(record));
  const [picture, setPicture] = useState<string | null>();
  const [isBusy, setBusy] = useState(false);
  const { draft, base, conflicts, theirs } = work;
  const changes = changesOf(base, draft);
  const isChanged = Object.keys(changes).length > 0 || picture !== undefined;
  useEffect(() => {
    if (isChanged && !isEmpty(draft)) sessionStorage.setItem(keyOf(record?.id), JSON.stringify(work));
    else sessionStorage.removeItem(keyOf(record?.id));
  }, [work, isChanged, draft, record]);
  const write = (field: Field, value: string | readonly string[]): void => setWork((now) => ({ ...now, draft: { ...now.draft, [field]: value } }));
  const settle = (field: Field, value?: string | readonly string[]): void => setWork((now) => ({
    ...now,
    conflicts: now.conflicts.filter((one) => one !== field),
    draft: value === undefined ? now.draft : { ...now.draft, [field]: value },
  }));

  async function save(): Promise<void> {
    const saved = record ? await changed(record) : await client.json<CharacterRecord>("POST", "characters", { body: withPicture(undefined) });
    if (!saved) return;
    sessionStorage.removeItem(keyOf(record?.id));
    await loadCharacters();
    notify(t("character.saved", { name: plain(nameOf(lineOf(saved))) }));
    go(`#/with/${saved.id}`);
  }
  function withPicture(before: CharacterRecord | undefined): Record<string, unknown> {
    return picture === undefined ? changes : { ...changes, assets: assetsWith(picture, before?.character.assets) };
  }
  /** Save over the version that was read; where another came between, the two are put together for the person to look at. */
  async function changed({ id }: CharacterRecord): Promise<CharacterRecord | undefined> {
    try {
      const before = picture === undefined ? undefined : await read(id);
      const headers = { "If-Match": `"${work.version}"` };
      return await client.json<CharacterRecord>("PATCH", `characters/${id}`, { body: withPicture(before), headers });
    } catch (error) {
      if (!(error instanceof ApiError) || error.code !== "precondition_failed") throw error;
      const there = await read(id);
      const other = draftOf(there.character);
      const both = merged(base, draft, other);
      setWork({ ...both, base: other, version: there.version, theirs: other });
      document.querySelector("#main .choice")?.scrollTo({ top: 0 });
      return undefined;
    }
  }
  function submit(event: FormEvent): void {
    event.preventDefault();
    setBusy(true);
    void attempt(save).finally(() => setBusy(false));
  }
  const control = (field: Field): ControlProps => ({ field, draft, write, theirs: conflicts.includes(field) ? theirs : undefined, settle });
  return (
    <form className="character-form fields" onSubmit={submit}>
      {theirs ? (
        <div className="warning">
          <p role="alert">{t(conflicts.length ? "character.conflict" : "character.merged")}</p>
          <ul>{conflicts.map((field) => <li key={field}><button type="button" className="link" onClick={() => document.getElementById(`${idOf(field)}-theirs`)?.focus()}>{t(`character.${field}`)}</button></li>)}</ul>
        </div>
      ) : null}
      <Picture record={record} picture={picture} onPicture={setPicture} />
      <Line {...control("name")} isRequired />
      <Line {...control("nickname")} />
      {TEXTS.map((field) => (
        <Text key={field} {...control(field)}>{field === "first_mes" ? <Greetings {...control("alternate_greetings")} /> : null}</Text>
      ))}
      <Line {...control("tags")} />
      <Line {...control("creator")} />
      <Models {...control("model")} />
      {state.at === "in" && state.session.is_operator ? <Visibility {...control("visibility")} /> : null}
      <footer>
        <a className="button" href={record ? `#/with/${record.id}` : "#/characters"} onClick={() => sessionStorage.removeItem(keyOf(record?.id))}>{t("app.cancel")}</a>
        <button type="submit" className="button primary" disabled={isBusy || !isChanged || conflicts.length > 0}>{t("app.save")}</button>
      </footer>
    </form>
  );
}

interface ControlProps {
  field: Field;
  draft: Draft;
  write: (field: Field, value: string | readonly string[]) => void;
  /** What they wrote, where both have changed this field. */
  theirs: Draft | undefined;
  settle: (field: Field, value?: string | readonly string[]) => void;
}

const HINTS: Partial<Record<Field, Key>> = {
  creator_notes: "character.hint.creator_notes",
  description: "character.hint.description",
  mes_example: "character.hint.mes_example",
  system_prompt: "character.hint.system_prompt",
  post_history_instructions: "character.hint.post_history_instructions",
  tags: "character.hint.tags",
  model: "character.hint.model",
};

function idOf(field: Field): string {
  return `character-${field}`;
}

function Label({ field }: { field: Field }): ReactNode {
  const { t } = useTexts();
  const hint = HINTS[field];
  return (
    <>
      <label htmlFor={idOf(field)}>{t(`character.${field}`)}</label>
      {hint ? <p id={`${idOf(field)}-hint`} className="hint">{t(hint)}</p> : null}
    </>
  );
}

/** Their words, where both have changed a field, and the choice. */
function Conflict({ field, theirs, settle }: ControlProps): ReactNode {
  const { t } = useTexts();
  if (!theirs) return null;
  const value = theirs[field];
  return (
    <div id={`${idOf(field)}-theirs`} tabIndex={-1} className="conflict" role="group" aria-label={t("character.theirs")}>
      <p className="hint">{t("character.theirs")}</p>
      <p dir="auto" className="plain">{plain(typeof value === "string" ? value : value.join("\n\n")) || "–"}</p>
      <span className="buttons">
        <button type="button" className="button" onClick={() => settle(field)}>{t("character.keepMine")}</button>
        <button type="button" className="button" onClick={() => settle(field, value)}>{t("character.takeTheirs")}</button>
      </span>
    </div>
  );
}

function Line(props: ControlProps & { isRequired?: boolean }): ReactNode {
  const { field, draft, write, isRequired = false } = props;
  return (
    <>
      <Label field={field} />
      <input id={idOf(field)} value={String(draft[field])} aria-describedby={HINTS[field] ? `${idOf(field)}-hint` : undefined} required={isRequired} dir="auto" autoComplete="off" onChange={(event) => write(field, event.target.value)} />
      <Conflict {...props} />
    </>
  );
}

function Text({ children, ...props }: ControlProps & { children?: ReactNode }): ReactNode {
  const { field, draft, write } = props;
  const text = String(draft[field]);
  return (
    <>
      <Label field={field} />
      <textarea id={idOf(field)} value={text} dir="auto" rows={Math.min(14, Math.max(3, text.split("\n").length + 1))} aria-describedby={HINTS[field] ? `${idOf(field)}-hint` : undefined} onChange={(event) => write(field, event.target.value)} />
      <Conflict {...props} />
      {children}
    </>
  );
}

function Greetings(props: ControlProps): ReactNode {
  const { t } = useTexts();
  const { draft, write } = props;
  const all = draft.alternate_greetings;
  const change = (at: number, text: string): void => write("alternate_greetings", all.map((one, index) => (index === at ? text : one)));
  return (
    <fieldset className="greetings">
      <legend>{t("character.alternate_greetings")}</legend>
      {all.map((greeting, index) => (
        <div key={index}>
          <textarea value={greeting} dir="auto" rows={3} aria-label={t("character.greeting", { number: index + 2 })} onChange={(event) => change(index, event.target.value)} />
          <IconButton icon="trash" label={t("character.greetingRemove", { number: index + 2 })} onClick={() => write("alternate_greetings", all.filter((_, at) => at !== index))} />
        </div>
      ))}
      <button type="button" className="button" onClick={() => write("alternate_greetings", [...all, ""])}><Icon name="plus" /> {t("character.greetingAdd")}</button>
      <Conflict {...props} />
    </fieldset>
  );
}

function Models(props: ControlProps): ReactNode {
  const { t } = useTexts();
  const known = useModels();
  const { draft, write } = props;
  return (
    <>
      <Label field="model" />
      <input id={idOf("model")} list="character-models" value={draft.model} placeholder={t("settings.modelDefault")} spellCheck={false} onChange={(event) => write("model", event.target.value)} />
      <datalist id="character-models">{known.map(({ id, name }) => <option key={id} value={id}>{name ?? id}</option>)}</datalist>
      <Conflict {...props} />
    </>
  );
}

function Visibility(props: ControlProps): ReactNode {
  const { t } = useTexts();
  const { draft, write } = props;
  return (
    <>
      <Label field="visibility" />
      <select id={idOf("visibility")} value={draft.visibility} onChange={(event) => write("visibility", event.target.value)}>
        {(["private", "hidden", "public"] as const).map((one) => <option key={one} value={one}>{t(`character.${one}`)}</option>)}
      </select>
      <Conflict {...props} />
    </>
  );
}

interface PictureProps {
  record: CharacterRecord | undefined;
  /** Another picture, null for none, undefined for the one that is there. */
  picture: string | null | undefined;
  onPicture: (picture: string | null) => void;
}

function Picture({ record, picture, onPicture }: PictureProps): ReactNode {
  const { t } = useTexts();
  const there = usePicture(record && lineOf(record));
  const shown = picture === undefined ? there : picture;
  const take = (file: File | undefined): void => void attempt(async () => {
    if (!file) return;
    try {
      onPicture(await scaled(file));
    } catch {
      throw new Error(t("character.noPicture"));
    }
  });
  return (
    <div className="picture-field">
      <span className="avatar large" data-hue="plain">{shown ? <img src={shown} alt={t("character.picture")} /> : <Icon name="picture" />}</span>
      <span className="buttons">
        <label className="button">
          <Icon name="upload" /> {t("character.choosePicture")}
          <input type="file" className="unseen" accept="image/png,image/jpeg,image/webp,image/gif,image/avif" onChange={(event) => { take(event.target.files?.[0]); event.target.value = ""; }} />
        </label>
        {shown ? <button type="button" className="button" onClick={() => onPicture(null)}>{t("character.removePicture")}</button> : null}
      </span>
    </div>
  );
}
