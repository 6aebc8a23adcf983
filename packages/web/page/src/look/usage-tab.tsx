import type { Message } from "@idolchat/client";
import { type ReactNode, useMemo } from "react";

import { useTexts } from "../i18n/text.ts";
import { useStore } from "../state/store.ts";
import type { Talk } from "../talk/talk.ts";

interface Sum {
  input: number;
  output: number;
  cost: number;
}

const NOTHING: Sum = { input: 0, output: 0, cost: 0 };

function plus(sum: Sum, { usage }: Message): Sum {
  return {
    input: sum.input + (usage?.input_tokens ?? 0),
    output: sum.output + (usage?.output_tokens ?? 0),
    cost: sum.cost + (usage?.cost ?? 0),
  };
}

/** What the replies of this conversation took, all branches together. */
export function UsageTab({ talk }: { talk: Talk }): ReactNode {
  const { t, locale } = useTexts();
  const { tree } = useStore(talk.state);
  const counted = useMemo(() => tree.messages.filter(({ usage }) => usage), [tree]);
  const number = new Intl.NumberFormat(locale);
  const money = new Intl.NumberFormat(locale, { style: "currency", currency: "USD", maximumSignificantDigits: 3 });
  if (!counted.length) return <p className="quiet">{t("look.noUsage")}</p>;
  const total = counted.reduce(plus, NOTHING);
  const days = [...Map.groupBy(counted, ({ timestamp }) => new Date(timestamp).toLocaleDateString(locale))].map(
    ([day, messages]) => ({ day, sum: messages.reduce(plus, NOTHING) }),
  );
  return (
    <>
      <dl className="totals">
        <div><dt>{t("look.input")}</dt><dd>{number.format(total.input)}</dd></div>
        <div><dt>{t("look.output")}</dt><dd>{number.format(total.output)}</dd></div>
        <div><dt>{t("look.cost")}</dt><dd>{money.format(total.cost)}</dd></div>
      </dl>
      <h3>{t("look.perTurn")}</h3>
      <Plot values={counted.slice(-60).map(({ usage }) => (total.cost ? (usage?.cost ?? 0) : (usage?.input_tokens ?? 0) + (usage?.output_tokens ?? 0)))} label={t("look.perTurn")} />
      <h3>{t("look.perDay")}</h3>
      <table className="parts">
        <thead><tr><th scope="col">{t("look.time")}</th><th scope="col" className="number">{t("look.input")}</th><th scope="col" className="number">{t("look.output")}</th><th scope="col" className="number">{t("look.cost")}</th></tr></thead>
        <tbody>
          {days.slice(-30).map(({ day, sum }) => (
            <tr key={day}><th scope="row">{day}</th><td className="number">{number.format(sum.input)}</td><td className="number">{number.format(sum.output)}</td><td className="number">{money.format(sum.cost)}</td></tr>
          ))}
        </tbody>
      </table>
    </>
  );
}

/** Bars; the table below says the same in numbers. */
function Plot({ values, label }: { values: readonly number[]; label: string }): ReactNode {
  const most = Math.max(...values, Number.MIN_VALUE);
  const width = Math.min(100 / values.length, 5);
  return (
    <svg className="plot" viewBox="0 0 100 30" preserveAspectRatio="none" role="img" aria-label={label}>
      {values.map((value, index) => {
        const height = Math.max((value / most) * 28, 0.5);
        return <rect key={index} x={index * width + width * 0.1} y={30 - height} width={width * 0.8} height={height} />;
      })}
    </svg>
  );
}
