/** What a text is as Markdown, within what may be read of a stranger's while it streams. */

import { type Token, lexer } from "marked";

/** Characters of a text that is still read as Markdown. */
const MOST = 20_000;
/** Emphasis is paired at a cost that grows with the square of its marks. */
const MOST_MARKS = 2000;
/** Quotes and lists in each other; a browser lays out no more than some hundred. */
const MOST_DEPTH = 12;
const DEEP = new RegExp(`^(?:[ \\t]{0,3}(?:>|[-*+]|\\d{1,9}[.)])){${MOST_DEPTH + 1}}`, "m");

/** The blocks of a text; undefined for one that is to be shown as it is. */
export function blocksOf(text: string): Token[] | undefined {
  if (text.length > MOST || DEEP.test(text)) return undefined;
  const marks = text.match(/[_*~[]/g)?.length ?? 0;
  if (marks > MOST_MARKS) return undefined;
  const blocks = lexer(text, { gfm: true, breaks: true });
  return isDeep(blocks, 0) ? undefined : blocks;
}

function isDeep(tokens: readonly Token[], depth: number): boolean {
  if (depth > MOST_DEPTH * 2) return true; // a list and its item are two
  return tokens.some((token) => {
    const inside = ("items" in token ? (token.items as Token[]) : "tokens" in token ? token.tokens : undefined) ?? [];
    return isDeep(inside, depth + 1);
  });
}

/** A text in one line, without what marks it up; as it is where it is not read as Markdown. */
export function unmarked(text: string): string {
  const blocks = blocksOf(text);
  return (blocks ? blocks.map(lettersOf).join(" ") : text).replace(/\s+/g, " ").trim();
}

function lettersOf(token: Token): string {
  if (token.type === "list") return (token.items as Token[]).map(lettersOf).join(" ");
  if ("tokens" in token && token.tokens) return token.tokens.map(lettersOf).join("");
  return "text" in token ? String(token.text) : " ";
}
