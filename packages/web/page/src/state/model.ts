import { Store } from "./store.ts";

/** The model that was chosen in this tab; empty for the character's or the server's. */
export const chosenModel = new Store<string>(sessionStorage.getItem("idolchat.model") ?? "");
chosenModel.subscribe(() => sessionStorage.setItem("idolchat.model", chosenModel.get()));
