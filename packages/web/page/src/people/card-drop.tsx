import { type ReactNode, useEffect, useState } from "react";

import { useTexts, type Texts } from "../i18n/text.ts";
import { notify } from "../shell/notices.tsx";
import { go } from "../state/route.ts";
import { has } from "../state/session.ts";
import { plain } from "../text/safe.ts";
import { importCard, lineOf, nameOf } from "./characters.ts";

const CARDS = ".png,.apng,.json,.charx,.webp,.zip,image/png,image/webp,application/json";

/** Ask for the file of a card. */
export function chooseCard(): void {
  document.getElementById("card-file")?.click();
}

/** A card that is dropped anywhere brings its character. Pictures for a message are pasted, or chosen. */
export function CardDrop(): ReactNode {
  const { t } = useTexts();
  const [isOver, setOver] = useState(false);
  const isWanted = has("POST /characters/import");
  useEffect(() => {
    if (!isWanted) return;
    let depth = 0;
    const holdsFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes("Files") ?? false;
    const enter = (event: DragEvent): void => { if (holdsFiles(event)) setOver((depth += 1) > 0); };
    const leave = (event: DragEvent): void => { if (holdsFiles(event)) setOver((depth -= 1) > 0); };
    const over = (event: DragEvent): void => { if (holdsFiles(event)) event.preventDefault(); };
    const drop = (event: DragEvent): void => {
      if (!holdsFiles(event)) return;
      event.preventDefault();
      depth = 0;
      setOver(false);
      void bring([...(event.dataTransfer?.files ?? [])], t);
    };
    const heard = { dragenter: enter, dragleave: leave, dragover: over, drop } as const;
    for (const [name, listener] of Object.entries(heard)) addEventListener(name, listener as EventListener);
    return () => { for (const [name, listener] of Object.entries(heard)) removeEventListener(name, listener as EventListener); };
  }, [isWanted, t]);
  if (!isWanted) return null;
  return (
    <>
      <input id="card-file" type="file" accept={CARDS} multiple hidden onChange={(event) => { void bring([...(event.target.files ?? [])], t); event.target.value = ""; }} />
      {isOver ? <div className="drop" role="status"><p>{t("start.drop")}</p></div> : null}
    </>
  );
}

async function bring(files: readonly File[], t: Texts): Promise<void> {
  for (const file of files) {
    try {
      const { character, warnings } = await importCard(file);
      notify(t("characters.imported", { name: plain(nameOf(lineOf(character))) }));
      if (warnings.length) notify(t("characters.warnings", { count: warnings.length }));
      if (files.length === 1) go(`#/with/${character.id}`);
    } catch (error) {
      notify(t("characters.failed", { message: error instanceof Error ? plain(error.message) : String(error) }), { isError: true });
    }
  }
}
