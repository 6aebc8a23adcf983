import type { ModelList } from "@idolchat/client";
import { useEffect, useState } from "react";

import { client } from "./session.ts";
import { Store, useStore } from "./store.ts";

/** The model that was chosen in this tab; empty for the character's or the server's. */
export const chosenModel = new Store<string>(sessionStorage.getItem("idolchat.model") ?? "");
chosenModel.subscribe(() => sessionStorage.setItem("idolchat.model", chosenModel.get()));

let read: Promise<ModelList | undefined> | undefined;

/** The models of the server, read once; undefined where their provider cannot be asked. */
export function models(): Promise<ModelList | undefined> {
  read ??= client.models().catch(() => {
    read = undefined; // asked again the next time
    return undefined;
  });
  return read;
}

/** The models of the server; none while they are not known. */
export function useModels(): ModelList["data"] {
  const [known, setKnown] = useState<ModelList["data"]>([]);
  useEffect(() => void models().then((list) => setKnown(list?.data ?? [])), []);
  return known;
}

/** Whether the model that answers takes pictures, as far as its provider tells; one that does not tell may. */
export function useTakesPictures(): boolean {
  const chosen = useStore(chosenModel);
  const [takes, setTakes] = useState(false);
  useEffect(() => {
    let isWanted = true;
    void models().then((list) => {
      const model = list?.data.find(({ id }) => id === (chosen || list.default));
      if (isWanted) setTakes(model?.input_modalities?.includes("image") ?? true);
    });
    return () => { isWanted = false; };
  }, [chosen]);
  return takes;
}
