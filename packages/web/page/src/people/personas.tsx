import { type FormEvent, type ReactNode, useEffect, useState } from "react";

import { useTexts } from "../i18n/text.ts";
import { Dialog } from "../shell/dialog.tsx";
import { IconButton } from "../shell/icons.tsx";
import { attempt } from "../shell/notices.tsx";
import { client } from "../state/session.ts";
import { Store, useStore } from "../state/store.ts";
import { plain } from "../text/safe.ts";

interface Persona {
  id: string;
  name: string;
  description: string;
}

interface Personas {
  default_id: string | null;
  personas: readonly Persona[];
}

const personas = new Store<Personas>({ default_id: null, personas: [] });

async function load(): Promise<void> {
  personas.set(await client.json<Personas>("GET", "personas"));
}

/** Whom the person plays: who is there, which one is the default, and another. */
export function PersonasDialog({ onClose }: { onClose: () => void }): ReactNode {
  const { t } = useTexts();
  const { default_id: chosen, personas: all } = useStore(personas);
  useEffect(() => void attempt(load), []);
  const choose = (id: string): void => void attempt(async () => personas.set(await client.json("PUT", "personas", { body: { default_id: id || null } })));
  const [edited, edit] = useState<string>();
  const under = all.find(({ id }) => id === edited);
  const change = (id: string, event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const given = Object.fromEntries(new FormData(event.currentTarget));
    void attempt(async () => {
      await client.json("PATCH", `personas/${id}`, { body: given });
      edit(undefined);
      await load();
    });
  };
  const remove = (id: string): void => void attempt(async () => {
    await client.json("DELETE", `personas/${id}`);
    await load();
  });
  const add = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const form = event.currentTarget;
    const given = Object.fromEntries(new FormData(form));
    void attempt(async () => {
      await client.json("POST", "personas", { body: given });
      form.reset();
      await load();
    });
  };
  return (
    <Dialog title={t("persona.title")} onClose={onClose}>
      <fieldset className="personas">
        <legend className="unseen">{t("persona.title")}</legend>
        <label className="check"><input type="radio" name="persona" checked={chosen === null} onChange={() => choose("")} /> {t("persona.none")}</label>
        {all.map((one) => (
          <div key={one.id}>
            <label className="check"><input type="radio" name="persona" checked={chosen === one.id} onChange={() => choose(one.id)} /> <span><bdi>{plain(one.name)}</bdi> <span className="quiet">{plain(one.description).slice(0, 80)}</span></span></label>
            <span className="persona-actions">
              <IconButton icon="edit" label={t("persona.edit", { name: plain(one.name) })} isExpanded={edited === one.id} onClick={() => edit(edited === one.id ? undefined : one.id)} />
              <IconButton icon="trash" label={t("persona.delete", { name: plain(one.name) })} onClick={() => remove(one.id)} />
            </span>
          </div>
        ))}
      </fieldset>
      {under ? <PersonaForm key={under.id} of={under} onSubmit={(event) => change(under.id, event)} onCancel={() => edit(undefined)} /> : <PersonaForm key="new" of={undefined} onSubmit={add} />}
    </Dialog>
  );
}

interface FormProps {
  of: Persona | undefined;
  onSubmit: (event: FormEvent<HTMLFormElement>) => void;
  onCancel?: () => void;
}

function PersonaForm({ of, onSubmit, onCancel }: FormProps): ReactNode {
  const { t } = useTexts();
  return (
    <form className="fields" onSubmit={onSubmit}>
      {of ? <h3>{t("persona.edit", { name: plain(of.name) })}</h3> : null}
      <label htmlFor="persona-name">{t("persona.name")}</label>
      <input id="persona-name" name="name" required maxLength={100} dir="auto" defaultValue={of?.name} />
      <label htmlFor="persona-about">{t("persona.about")}</label>
      <textarea id="persona-about" name="description" rows={3} maxLength={16_000} dir="auto" defaultValue={of?.description} />
      <footer>
        {onCancel ? <button type="button" className="button" onClick={onCancel}>{t("app.cancel")}</button> : null}
        <button type="submit" className="button primary">{t(of ? "app.save" : "persona.add")}</button>
      </footer>
    </form>
  );
}

/** Whom the person plays in one conversation, from its next turn on. */
export function PersonaChoice({ conversationId }: { conversationId: string }): ReactNode {
  const { t } = useTexts();
  const { personas: all } = useStore(personas);
  const [played, play] = useState("");
  useEffect(() => void attempt(load), []);
  useEffect(() => {
    let isWanted = true;
    if (all.length) {
      void attempt(async () => {
        const found = await client.json<Persona | null>("GET", `conversation/${conversationId}/persona`);
        if (isWanted) play(found?.id ?? "");
      });
    }
    return () => { isWanted = false; };
  }, [conversationId, all]);
  if (!all.length) return null;
  const choose = (id: string): void => void attempt(async () => {
    await client.json("PUT", `conversation/${conversationId}/persona`, { body: { persona_id: id || null } });
    play(id);
  });
  return (
    <select className="persona" aria-label={t("persona.title")} value={played} onChange={(event) => choose(event.target.value)}>
      <option value="">{t("persona.none")}</option>
      {all.map((one) => <option key={one.id} value={one.id}>{plain(one.name)}</option>)}
    </select>
  );
}
