import type { ExplainedPart } from "@idolchat/client";
import { type ReactNode, useState } from "react";

import { type Key, type Texts, useTexts } from "../i18n/text.ts";
import { attempt } from "../shell/notices.tsx";
import { client, has } from "../state/session.ts";
import { plain } from "../text/safe.ts";

interface Entry {
  scope: string;
  book: string;
  uid: string;
  name: string;
  activated: boolean;
  reason: string;
  key: string | null;
  recursion: number | null;
  tokens: number | null;
  problems: string[];
}

interface Lore {
  budget_tokens: number;
  tokens: number;
  is_cut: boolean;
  entries: Entry[];
}

interface Props {
  parts: readonly ExplainedPart[];
  conversationId: string;
  characterId: string | undefined;
}

/** Which entries of lorebooks the reply was given, and by what; asked for, why the others would not be. */
export function LoreSection({ parts, conversationId, characterId }: Props): ReactNode {
  const { t } = useTexts();
  const [lore, setLore] = useState<Lore>();
  const fired = parts.filter(({ source, key }) => source === "characters" && key.startsWith("lore/"));
  const explain = (): void => void attempt(async () => {
    setLore(await client.json<Lore>("POST", `characters/${characterId}/lore/explain`, { body: { conversation_id: conversationId } }));
  });
  return (
    <section className="told" aria-labelledby="lore-title">
      <h3 id="lore-title">{t("lore.title")}</h3>
      {fired.length ? <ul className="entries">{fired.map((part) => <Fired key={part.key} part={part} />)}</ul> : <p className="quiet">{t("lore.none")}</p>}
      {lore ? <All lore={lore} /> : characterId && has("POST /characters/{character_id}/lore/explain") ? (
        <p><button type="button" className="button" onClick={explain}>{t("lore.explain")}</button></p>
      ) : null}
    </section>
  );
}

function Fired({ part }: { part: ExplainedPart }): ReactNode {
  const { t } = useTexts();
  const why = part.why ?? {};
  const name = why.book === "server" ? t("lore.ofServer") : String(why.entry ?? part.key.replace("lore/", ""));
  return (
    <li className={part.included ? "in" : "out"}>
      <bdi className="name">{plain(name)}</bdi>
      <span className="quiet">{reasonOf(String(why.reason ?? ""), why.key ? String(why.key) : null, Number(why.recursion ?? 0), t)} · {t("look.tokens", { count: part.tokens })}</span>
      {part.included ? null : <span className="reason">{t("look.out")}{part.reason ? `: ${plain(part.reason)}` : ""}</span>}
    </li>
  );
}

function All({ lore }: { lore: Lore }): ReactNode {
  const { t, locale } = useTexts();
  const number = new Intl.NumberFormat(locale, { maximumFractionDigits: 0 });
  return (
    <>
      <p className="quiet" role="status">
        {t("lore.now", { count: lore.entries.filter(({ activated }) => activated).length, all: lore.entries.length, tokens: number.format(lore.tokens), budget: number.format(lore.budget_tokens) })}
        {lore.is_cut ? ` ${t("lore.cut")}` : ""}
      </p>
      {lore.entries.length ? (
        <ul className="entries">
          {lore.entries.map((one) => (
            <li key={`${one.book} ${one.uid}`} className={one.activated ? "in" : "out"}>
              <bdi className="name">{plain(one.name || one.uid)}</bdi>
              <span className="quiet">{reasonOf(one.reason, one.key, one.recursion ?? 0, t)}{one.tokens == null ? "" : ` · ${t("look.tokens", { count: number.format(one.tokens) })}`}</span>
              {one.problems.map((problem) => <span key={problem} className="reason error" dir="auto">{plain(problem)}</span>)}
            </li>
          ))}
        </ul>
      ) : null}
    </>
  );
}

/** Words of the scan are said in the person's language; one that is not known here is shown as it is. */
function reasonOf(reason: string, key: string | null, recursion: number, t: Texts): string {
  const said = t(`lore.reason.${reason}` as Key, { key: plain(key ?? "") }) || reason;
  return recursion ? `${said} (${t("lore.recursion", { count: recursion })})` : said;
}
