import { ApiError, type ExplainedPart, type PromptExplanation } from "@idolchat/client";
import type { ReactNode } from "react";

import { useTexts } from "../i18n/text.ts";
import { plain } from "../text/safe.ts";
import { useExplanation } from "./explanation.ts";

/** The prompt of a turn, part by part. It holds no text. */
export function PromptTab({ turnId }: { turnId: string | undefined }): ReactNode {
  const { t } = useTexts();
  const found = useExplanation(turnId);
  if (!turnId) return <p className="quiet">{t("look.pick")}</p>;
  if (!found) return <p className="quiet" role="status">{t("app.loading")}</p>;
  if (found instanceof ApiError) return <p className="quiet">{found.status === 410 ? t("look.gone") : found.message}</p>;
  return <Explained of={found} />;
}

function Explained({ of }: { of: PromptExplanation }): ReactNode {
  const { t, locale } = useTexts();
  const number = new Intl.NumberFormat(locale);
  const said = of.parts.filter(({ included }) => included).reduce((sum, { tokens }) => sum + tokens, 0);
  const sources = [...Map.groupBy(of.parts.filter(({ included }) => included), ({ source }) => source)].map(
    ([source, parts]) => ({ source, tokens: parts.reduce((sum, { tokens }) => sum + tokens, 0) }),
  );
  const shares = [...sources, { source: t("look.history", { count: of.history_messages }), tokens: Math.max(of.tokens - said, 0) }];
  return (
    <>
      <p className="figure">{t("look.window", { used: number.format(of.tokens), window: number.format(of.window_tokens) })}</p>
      <Shares of={shares} whole={of.tokens} />
      <ul className="facts">
        <li>{t("look.model")}: <bdi>{of.model ?? "–"}</bdi></li>
        {of.shared_tokens == null ? null : <li>{t("look.shared", { count: number.format(of.shared_tokens) })}</li>}
        {of.left_out_messages ? <li>{t("look.leftOut", { count: number.format(of.left_out_messages) })}</li> : null}
        {Object.entries(of.failures ?? {}).map(([source, message]) => <li key={source} className="error">{t("look.missing", { source, message: plain(message) })}</li>)}
      </ul>
      <table className="parts">
        <thead><tr><th scope="col">{t("look.part")}</th><th scope="col">{t("look.slot")}</th><th scope="col" className="number">{t("look.size")}</th></tr></thead>
        <tbody>{of.parts.map((part) => <Part key={`${part.source} ${part.key}`} of={part} />)}</tbody>
      </table>
    </>
  );
}

function Shares({ of, whole }: { of: readonly { source: string; tokens: number }[]; whole: number }): ReactNode {
  return (
    <>
      <svg className="shares" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">
        {of.map(({ source, tokens }, index) => {
          const before = of.slice(0, index).reduce((sum, one) => sum + one.tokens, 0);
          return <rect key={source} x={(before / (whole || 1)) * 100} width={(tokens / (whole || 1)) * 100} height="6" className={`share s${index % 6}`} />;
        })}
      </svg>
      <ul className="legend">{of.map(({ source, tokens }, index) => <li key={source}><i className={`share s${index % 6}`} aria-hidden="true" /> {source} <b>{tokens}</b></li>)}</ul>
    </>
  );
}

function Part({ of }: { of: ExplainedPart }): ReactNode {
  const { t } = useTexts();
  const why = Object.entries(of.why ?? {});
  return (
    <tr className={of.included ? "" : "out"}>
      <td>
        <span className="source">{of.source}</span> <span className="key" dir="auto">{plain(of.key)}</span>
        {of.included ? null : <span className="tag">{t("look.out")}</span>}
        {of.reason ? <span className="reason">{plain(of.reason)}</span> : null}
        {why.length ? (
          <details><summary>{t("look.why")}</summary><dl>{why.map(([name, value]) => <div key={name}><dt>{name}</dt><dd dir="auto">{plain(shown(value))}</dd></div>)}</dl></details>
        ) : null}
      </td>
      <td>{of.slot}</td>
      <td className="number">{of.tokens}</td>
    </tr>
  );
}

function shown(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
