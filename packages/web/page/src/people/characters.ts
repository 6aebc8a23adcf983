/** Characters, where the server has any. */

import { ApiError } from "@idolchat/client";
import { useEffect, useMemo, useState } from "react";

import { client, has, needsToken, session, untilReached } from "../state/session.ts";
import { Store, useStore } from "../state/store.ts";

/** A line of the list. */
export interface Character {
  id: string;
  name: string;
  nickname?: string | null;
  creator?: string;
  tags?: string[];
  version: number;
  icon?: string | null;
  owner_id?: string | null;
  visibility?: Visibility;
}

export interface CardAsset {
  type: string;
  uri: string;
  name: string;
  ext: string;
}

/** The fields of a card, and how the server uses her. */
export interface CharacterFields {
  name: string;
  nickname?: string | null;
  description?: string;
  personality?: string;
  scenario?: string;
  system_prompt?: string;
  post_history_instructions?: string;
  first_mes?: string;
  alternate_greetings?: string[];
  mes_example?: string;
  creator?: string;
  creator_notes?: string;
  tags?: string[];
  assets?: CardAsset[] | null;
  model?: string | null;
  owner_id?: string | null;
  visibility?: Visibility;
}

export type Visibility = "public" | "private" | "hidden";

/** All of a character. */
export interface CharacterRecord {
  id: string;
  version: number;
  character: CharacterFields;
  assets?: { type: string; name: string; file_name: string; media_type: string | null }[];
}

interface State {
  at: "loading" | "ready" | "none";
  data: readonly Character[];
}

export const characters = new Store<State>({ at: "loading", data: [] });

export async function loadCharacters(): Promise<void> {
  if (!has("GET /characters")) return characters.set({ at: "none", data: [] });
  const data: Character[] = [];
  let before: string | undefined;
  do {
    const query: Record<string, string | number | undefined> = { limit: 100, before };
    const page = await client.json<{ data: Character[]; next: string | null }>("GET", "characters", { query });
    data.push(...page.data);
    before = page.next ?? undefined;
  } while (before && data.length < 1000);
  characters.set({ at: "ready", data });
}

export async function importCard(file: File): Promise<{ character: CharacterRecord; warnings: unknown[] }> {
  const headers = { "Content-Type": "application/octet-stream" };
  const found = await client.json<{ character: CharacterRecord; warnings: unknown[] }>("POST", "characters/import", { body: file, headers });
  await loadCharacters();
  return found;
}

export async function deleteCharacter({ id }: Character): Promise<void> {
  await client.json("DELETE", `characters/${id}`);
  await loadCharacters();
}

/** Whether the person may edit a character and delete it, as the server sees it. */
export function mayChange({ owner_id: owner, visibility }: Pick<CharacterFields, "owner_id" | "visibility">): boolean {
  const state = session.get();
  if (state.at !== "in") return false;
  const { is_operator: isOperator, user_id: user } = state.session;
  return isOperator || (user === null ? visibility !== "public" : owner === user);
}

export function nameOf({ name, nickname }: Character): string {
  return nickname || name;
}

export function lineOf({ id, version, character, assets }: CharacterRecord): Character {
  const pictures = assets?.filter(({ type, media_type: kind }) => type === "icon" && kind) ?? [];
  const chosen = pictures.find(({ name }) => name === "main") ?? pictures[0];
  return { ...character, id, version, icon: chosen?.file_name ?? null };
}

const read = new Map<string, Promise<CharacterRecord | undefined>>();

/** All of a character, read once for each of its versions; undefined where there is none. */
function find(id: string, version: number | undefined): Promise<CharacterRecord | undefined> {
  const key = `${id} ${version}`;
  const known = read.get(key);
  if (known) return known;
  const found = untilReached(() => client.json<CharacterRecord>("GET", `characters/${encodeURIComponent(id)}`)).catch((error: unknown) => {
    if (error instanceof ApiError) return undefined; // a conversation may outlive its character
    throw error;
  });
  read.set(key, found);
  return found;
}

export function useRecord(id: string | null | undefined, version?: number): CharacterRecord | undefined {
  const [found, setFound] = useState<CharacterRecord>();
  useEffect(() => {
    let isWanted = true;
    setFound(undefined);
    if (id && has("GET /characters")) void find(id, version).then((one) => isWanted && setFound(one));
    return () => { isWanted = false; };
  }, [id, version]);
  return found;
}

export function useCharacter(id: string | null | undefined): Character | undefined {
  const { at, data } = useStore(characters);
  const known = id ? data.find((one) => one.id === id) : undefined;
  // Who is in no list is hidden, or another's.
  const found = useRecord(at === "ready" && !known ? id : undefined);
  return useMemo(() => known ?? (found && lineOf(found)), [known, found]);
}

const loaded = new Map<string, Promise<string | undefined>>();

/** A browser sends no token with a picture's address, so that it is fetched where one is needed. */
function addressOf(path: string, version: number): Promise<string | undefined> {
  const key = `${path} ${version}`;
  const known = loaded.get(key);
  if (known) return known;
  const read = needsToken()
    ? client.fetch(path).then(
        async (response) => (response.ok ? URL.createObjectURL(await response.blob()) : undefined),
        () => { loaded.delete(key); return undefined; }, // asked for again the next time
      )
    : Promise.resolve(new URL(path, client.baseUrl).href);
  loaded.set(key, read);
  return read;
}

export function usePicture(of: Character | undefined): string | undefined {
  const path = of?.icon ? `characters/${of.id}/files/${encodeURIComponent(of.icon)}` : undefined;
  const version = of?.version ?? 0;
  const [address, setAddress] = useState<string>();
  useEffect(() => {
    let isWanted = true;
    setAddress(undefined);
    if (path) void addressOf(path, version).then((found) => isWanted && setAddress(found));
    return () => { isWanted = false; };
  }, [path, version]);
  return address;
}
