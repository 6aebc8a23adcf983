/** What somebody writes into the form of a character, and what becomes of it where another has changed her meanwhile. */

import type { CharacterFields } from "./characters.ts";

export const LINES = ["name", "nickname", "creator", "model"] as const;
export const TEXTS = ["creator_notes", "description", "personality", "scenario", "first_mes", "mes_example", "system_prompt", "post_history_instructions"] as const;
export type Field = (typeof LINES)[number] | (typeof TEXTS)[number] | "tags" | "visibility" | "alternate_greetings";
export type Draft = Record<Exclude<Field, "alternate_greetings">, string> & { alternate_greetings: readonly string[] };

const FIELDS: readonly Field[] = [...LINES, ...TEXTS, "tags", "visibility", "alternate_greetings"];
const NONE_IS_NULL = new Set<Field>(["nickname", "model"]);

export function draftOf(character: CharacterFields): Draft {
  const written = Object.fromEntries([...LINES, ...TEXTS, "visibility" as const].map((field) => [field, character[field] ?? ""]));
  return { ...written, tags: character.tags?.join(", ") ?? "", alternate_greetings: character.alternate_greetings ?? [] } as unknown as Draft;
}

export const EMPTY: Draft = draftOf({ name: "", visibility: "private" });

function isSame(one: Draft, other: Draft, field: Field): boolean {
  return JSON.stringify(one[field]) === JSON.stringify(other[field]);
}

/** The fields that differ, as the server takes them. */
export function changesOf(base: Draft, draft: Draft): Record<string, unknown> {
  return Object.fromEntries(FIELDS.filter((field) => !isSame(base, draft, field)).map((field) => [field, valueOf(draft, field)]));
}

function valueOf(draft: Draft, field: Field): unknown {
  if (field === "tags") return draft.tags.split(/[,、，]/).map((tag) => tag.trim()).filter(Boolean);
  if (field === "alternate_greetings") return draft.alternate_greetings.filter((greeting) => greeting.trim());
  return NONE_IS_NULL.has(field) ? draft[field].trim() || null : draft[field];
}

/** Take in what only they changed; where both did, mine stays until somebody chooses. */
export function merged(base: Draft, mine: Draft, theirs: Draft): { draft: Draft; conflicts: Field[] } {
  const draft: Record<string, unknown> = { ...mine };
  const conflicts: Field[] = [];
  for (const field of FIELDS) {
    if (isSame(mine, base, field)) draft[field] = theirs[field];
    else if (!isSame(theirs, base, field) && !isSame(theirs, mine, field)) conflicts.push(field);
  }
  return { draft: draft as Draft, conflicts };
}

export function isEmpty(draft: Draft): boolean {
  return FIELDS.every((field) => isSame(draft, EMPTY, field));
}
