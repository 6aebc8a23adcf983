/** Names for what the server's OpenAPI document describes. */

import type { components } from "./generated/openapi.ts";

/** The fields that are described; the document keeps others, too. */
type Named<T> = { [Field in keyof T as string extends Field ? never : Field]: T[Field] };
type Schemas = components["schemas"];

export type ConversationPage = Schemas["ConversationPage"];
export type ConversationSummary = Schemas["ConversationSummary"];
export type Message = Omit<Named<Schemas["Message"]>, "content"> & { content?: Content | null };
export type Conversation = Omit<Named<Schemas["Conversation"]>, "messages"> & { messages: Message[] };
export type MessagePage = Conversation & { total: number; has_more: boolean; next: number | null };
export type ModelList = Schemas["ModelList"];
export type PromptExplanation = Schemas["PromptExplanation"];
export type ExplainedPart = Schemas["ExplainedPart"];
export type Search = Schemas["SearchResults"];
export type SearchHit = Schemas["SearchHit"];
export type UsageReport = Schemas["UsageReport"];
export type TurnStatus = Schemas["TurnStatus"];

/** A text, or OpenAI's content parts. */
export type Content = string | ContentPart[];
export type ContentPart =
  | { type: "text"; text: string }
  | { type: "image_url"; image_url: { url: string } }
  | { [more: string]: unknown; type: string };
