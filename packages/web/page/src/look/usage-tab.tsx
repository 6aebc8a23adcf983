import type { Message, UsageReport } from "@idolchat/client";
import { type ReactNode, useEffect, useMemo, useState } from "react";

import { useTexts } from "../i18n/text.ts";
import { attempt } from "../shell/notices.tsx";
import { client, has } from "../state/session.ts";
import { useStore } from "../state/store.ts";
import type { Talk } from "../talk/talk.ts";
import { type Bar, Plot } from "./plot.tsx";

type Measure = "cost" | "tokens";

interface Sum {
  input: number;
  output: number;
  cost: number;
}

const NOTHING: Sum = { input: 0, output: 0, cost: 0 };
const MOST_TURNS = 60;
const DAY_MS = 86_400_000;

function sumOf({ usage }: Message): Sum {
  return { input: usage?.input_tokens ?? 0, output: usage?.output_tokens ?? 0, cost: usage?.cost ?? 0 };
}

function plus(one: Sum, other: Sum): Sum {
  return { input: one.input + other.input, output: one.output + other.output, cost: one.cost + other.cost };
}

/** What the replies of this conversation took, all branches together; and what each day took, in all conversations. */
export function UsageTab({ talk }: { talk: Talk }): ReactNode {
  const { t, locale } = useTexts();
  const { tree } = useStore(talk.state);
  const counted = useMemo(() => tree.messages.filter(({ usage }) => usage), [tree]);
  const report = useReport(counted.length);
  const total = useMemo(() => counted.map(sumOf).reduce(plus, NOTHING), [counted]);
  const isFree = !total.cost && !report?.data.some(({ cost }) => cost);
  const [chosen, choose] = useState<Measure>("cost");
  const measure = isFree ? "tokens" : chosen;
  const number = new Intl.NumberFormat(locale);
  const money = new Intl.NumberFormat(locale, { style: "currency", currency: "USD", maximumSignificantDigits: 3 });
  const names = measure === "cost" ? [t("look.cost")] : [t("look.input"), t("look.output")];
  const partsOf = ({ input, output, cost }: Sum): number[] => (measure === "cost" ? [cost] : [input, output]);
  const shown = (value: number): string => (measure === "cost" ? money.format(value) : number.format(value));
  const time = new Intl.DateTimeFormat(locale, { month: "short", day: "numeric", hour: "numeric", minute: "2-digit" });
  const turns: Bar[] = counted.slice(-MOST_TURNS).map((message) => ({
    key: String(message.id), label: time.format(new Date(message.timestamp)), parts: partsOf(sumOf(message)),
  }));
  return (
    <>
      {counted.length ? (
        <dl className="totals">
          <div><dt>{t("look.input")}</dt><dd>{number.format(total.input)}</dd></div>
          <div><dt>{t("look.output")}</dt><dd>{number.format(total.output)}</dd></div>
          <div><dt>{t("look.cost")}</dt><dd>{money.format(total.cost)}</dd></div>
        </dl>
      ) : <p className="quiet">{t("look.noUsage")}</p>}
      {isFree ? null : (
        <label className="measure">
          {t("look.measure")}
          <select value={chosen} onChange={(event) => choose(event.target.value as Measure)}>
            <option value="cost">{t("look.cost")}</option>
            <option value="tokens">{t("look.size")}</option>
          </select>
        </label>
      )}
      {turns.length ? <Plot title={t("look.perTurn")} bars={turns} names={names} shown={shown} /> : null}
      {report ? <Plot title={t("look.perDay")} bars={daysOf(report, locale, partsOf)} names={names} shown={shown} /> : null}
    </>
  );
}

/** Read again when a reply has ended. */
function useReport(replies: number): UsageReport | undefined {
  const [report, setReport] = useState<UsageReport>();
  useEffect(() => {
    let isWanted = true;
    if (has("GET /usage")) {
      void attempt(async () => {
        const read = await client.usage();
        if (isWanted) setReport(read);
      });
    }
    return () => { isWanted = false; };
  }, [replies]);
  return report;
}

/** Every day of the report, also those on which nothing was spent. Days are UTC. */
function daysOf({ since, until, data }: UsageReport, locale: string, partsOf: (sum: Sum) => number[]): Bar[] {
  const format = new Intl.DateTimeFormat(locale, { month: "short", day: "numeric", timeZone: "UTC" });
  const known = new Map(data.map((one) => [one.day, one]));
  const first = Date.parse(since);
  return Array.from({ length: (Date.parse(until) - first) / DAY_MS + 1 }, (_, index) => {
    const at = new Date(first + index * DAY_MS);
    const key = at.toISOString().slice(0, 10);
    const day = known.get(key);
    return { key, label: format.format(at), parts: partsOf(day ? { input: day.input_tokens, output: day.output_tokens, cost: day.cost } : NOTHING) };
  });
}
