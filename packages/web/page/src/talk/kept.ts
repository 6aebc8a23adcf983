/** What a reload must not lose: turns under way, messages that are not confirmed, drafts. Kept in this tab. */

import type { Content } from "@idolchat/client";

import type { Kind } from "./pending.ts";

/** A turn that runs, so that it is followed again. */
export interface KeptTurn {
  key: string;
  kind: Kind;
  turnId: string;
  anchor: string | null;
  userMessageId: string;
  continues?: string | undefined;
}

/** A message of which the server has not said yet that it is on disk; sent again with the same key. */
export interface KeptSend {
  key: string;
  kind: "send" | "edit";
  anchor: string | null;
  /** The message that is edited. */
  target?: string | undefined;
  content: Content;
  characterId?: string | undefined;
  model?: string | undefined;
}

class KeptList<T extends { key: string }> {
  readonly #name: string;

  constructor(name: string) {
    this.#name = name;
  }

  of(conversationId: string): T[] {
    return JSON.parse(sessionStorage.getItem(this.#item(conversationId)) ?? "[]") as T[];
  }

  add(conversationId: string, one: T): void {
    this.#put(conversationId, [...this.of(conversationId).filter(({ key }) => key !== one.key), one]);
  }

  remove(conversationId: string, key: string): void {
    this.#put(conversationId, this.of(conversationId).filter((one) => one.key !== key));
  }

  #put(conversationId: string, list: readonly T[]): void {
    if (!list.length) return sessionStorage.removeItem(this.#item(conversationId));
    try {
      sessionStorage.setItem(this.#item(conversationId), JSON.stringify(list));
    } catch (error) {
      // A picture may be larger than a tab may keep: then it is not sent again after a reload.
      if (!(error instanceof DOMException && error.name === "QuotaExceededError")) throw error;
    }
  }

  #item(conversationId: string): string {
    return `idolchat.${this.#name}.${conversationId}`;
  }
}

export const keptTurns = new KeptList<KeptTurn>("turns");
export const keptSends = new KeptList<KeptSend>("sends");

export const drafts = {
  of: (place: string): string => sessionStorage.getItem(`idolchat.draft.${place}`) ?? "",
  set: (place: string, text: string): void =>
    text ? sessionStorage.setItem(`idolchat.draft.${place}`, text) : sessionStorage.removeItem(`idolchat.draft.${place}`),
};
