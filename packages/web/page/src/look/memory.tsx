import type { ExplainedPart, PromptExplanation } from "@idolchat/client";
import { type ReactNode, useState } from "react";

import { type Key, useTexts } from "../i18n/text.ts";
import { attempt } from "../shell/notices.tsx";
import { When } from "../shell/sidebar.tsx";
import { client, has } from "../state/session.ts";
import { textOf } from "../talk/content.ts";
import type { Talk } from "../talk/talk.ts";
import { plain } from "../text/safe.ts";

interface Quote {
  message_id: string;
  conversation_id: string;
  said_at: string;
  score: number;
  relevance: number;
  matched: string[];
  in_period?: boolean;
}

interface Found extends Quote {
  role: string;
  text: string;
}

interface Result {
  data: Found[];
  time_not_read: string | null;
  semantic: boolean;
}

interface Known {
  near: ReadonlySet<string>;
  all: readonly Found[];
  isSemantic: boolean;
}

const MOST = 20;
const MOST_ASKED = 1000;
const MOST_BEFORE = 300;

/** What was recalled for a reply, with its score and date; asked for, what it says, and what was not recalled and why. */
export function MemorySection({ of, talk }: { of: PromptExplanation; talk: Talk }): ReactNode {
  const { t } = useTexts();
  const [known, setKnown] = useState<Known>();
  const recalled = of.parts.filter(({ source }) => source === "memory").flatMap((part) => quotesOf(part).map((quote) => ({ part, quote })));
  const asked = questionOf(talk, of.turn_id);
  const search = (): void => void attempt(async () => {
    const body = { ...asked, now: of.made_at, limit: MOST, character_id: talk.state.get().characterId, user_id: of.user_id ?? undefined };
    const ask = (everything: boolean): Promise<Result> => client.json<Result>("POST", "memory/search", { body: { ...body, everything } });
    const [near, all] = await Promise.all([ask(false), ask(true)]);
    setKnown({ near: new Set(near.data.map(({ message_id: id }) => id)), all: all.data, isSemantic: all.semantic });
  });
  const texts = new Map(known?.all.map((one) => [one.message_id, one.text]));
  const shown = new Set(recalled.map(({ quote }) => quote.message_id));
  const own = new Set(talk.state.get().tree.messages.filter(({ turn_id: id }) => String(id) === of.turn_id).map(({ id }) => String(id)));
  const others = known?.all.filter(({ message_id: id }) => !shown.has(id) && !own.has(id)) ?? [];
  return (
    <section className="told" aria-labelledby="memory-title">
      <h3 id="memory-title">{t("recall.title")}</h3>
      {recalled.length ? <ul className="entries">{recalled.map(({ part, quote }) => <Recalled key={quote.message_id} part={part} quote={quote} text={texts.get(quote.message_id)} />)}</ul> : <p className="quiet">{t("recall.none")}</p>}
      {known ? (
        <>
          <h4>{t("recall.others")}</h4>
          {others.length ? null : <p className="quiet" role="status">{t("list.nothing")}</p>}
          <ul className="entries">{others.map((one) => <Other key={one.message_id} one={one} why={whyNot(one, known, talk)} />)}</ul>
          <p className="quiet">{t(known.isSemantic ? "recall.byMeaning" : "recall.byWords")}</p>
        </>
      ) : asked && has("POST /memory/search") ? <p><button type="button" className="button" onClick={search}>{t("recall.explain")}</button></p> : null}
    </section>
  );
}

/** What the memory was asked: the person's words, and what was said before them. */
function questionOf(talk: Talk, turnId: string): { text: string; context: string } | undefined {
  const { tree } = talk.state.get();
  const message = tree.messages.find(({ role, turn_id: id }) => role === "user" && String(id) === turnId);
  const reply = tree.messages.find(({ role, turn_id: id }) => role === "assistant" && String(id) === turnId);
  const asked = message ?? tree.byId.get(tree.parentOf.get(String(reply?.id)) ?? "");
  const text = textOf(asked?.content).trim();
  if (!asked || !text) return undefined;
  const before = tree.byId.get(tree.parentOf.get(String(asked.id)) ?? "");
  return { text: text.slice(-MOST_ASKED), context: textOf(before?.content).slice(-MOST_BEFORE) };
}

function whyNot({ message_id: id, conversation_id: conversation }: Found, known: Known, talk: Talk): Key {
  if (conversation === talk.id && talk.state.get().tree.byId.has(id)) return "recall.inHistory";
  return known.near.has(id) ? "recall.noRoom" : "recall.far";
}

/** The messages that a part of the prompt recalls, best first. */
function quotesOf({ why }: ExplainedPart): readonly Quote[] {
  return Array.isArray(why?.messages) ? (why.messages as Quote[]) : [];
}

function Recalled({ part, quote, text }: { part: ExplainedPart; quote: Quote; text: string | undefined }): ReactNode {
  const { t } = useTexts();
  const why = part.why ?? {};
  return (
    <li className={part.included ? "in" : "out"}>
      {text ? <p className="plain" dir="auto">{plain(text).slice(0, 400)}</p> : null}
      <Figures at={quote.said_at} score={quote.score} relevance={quote.relevance} matched={quote.matched} conversationId={quote.conversation_id} />
      {typeof why.period === "string" ? <span className="reason" dir="auto">{t(quote.in_period ? "recall.inPeriod" : "recall.notInPeriod", { period: plain(why.period) })}</span> : null}
      {typeof why.time_not_read === "string" ? <span className="reason" dir="auto">{t("recall.timeNotRead", { words: plain(why.time_not_read) })}</span> : null}
      {part.included ? null : <span className="reason">{t("look.out")}{part.reason ? `: ${plain(part.reason)}` : ""}</span>}
    </li>
  );
}

function Other({ one, why }: { one: Found; why: Key }): ReactNode {
  const { t } = useTexts();
  return (
    <li className="out">
      <p className="plain" dir="auto">{plain(one.text).slice(0, 400)}</p>
      <Figures at={one.said_at} score={one.score} relevance={one.relevance} matched={one.matched} conversationId={one.conversation_id} />
      <span className="reason">{t(why)}</span>
    </li>
  );
}

interface FiguresProps {
  at: string;
  score: number;
  relevance: number;
  matched: readonly string[];
  conversationId: string;
}

function Figures({ at, score, relevance, matched, conversationId }: FiguresProps): ReactNode {
  const { t, locale } = useTexts();
  const number = new Intl.NumberFormat(locale, { maximumFractionDigits: 2 });
  return (
    <span className="quiet">
      {at ? <a href={`#/c/${conversationId}`}><When at={at} /></a> : null} · {t("recall.score", { score: number.format(score) })} · {t("recall.relevance", { relevance: number.format(relevance) })}
      {matched.length ? <> · <bdi>{matched.map(plain).join(", ")}</bdi></> : null}
    </span>
  );
}
