import { ApiError } from "@idolchat/client";
import { type ReactNode, useEffect, useState } from "react";

import { type Key, useTexts } from "../i18n/text.ts";
import { client, has } from "../state/session.ts";
import { plain } from "../text/safe.ts";

interface Part {
  name: string;
  status: string;
  code?: string;
  message?: string;
}

interface Health {
  status: string;
  version?: string;
  storage?: Part;
  llm?: Part;
  mirror?: { pending: number; lag_s: number; conflicts?: number; mirrors?: Part[] };
  background?: { status: string; failing?: Record<string, string> };
}

const EVERY_MS = 5000;

/** The server's health; who does not operate it is told the status alone. */
export function ServerTab(): ReactNode {
  const { t, locale } = useTexts();
  const [health, setHealth] = useState<Health>();
  useEffect(() => {
    let isWanted = true;
    const read = async (): Promise<void> => {
      const response = await client.fetch("health");
      if (response.status >= 500 && !response.headers.get("content-type")?.includes("json")) throw new ApiError(response.status, { message: response.statusText });
      const found = (await response.json()) as Health;
      if (isWanted) setHealth(found);
    };
    const tell = (error: unknown): void => { if (isWanted) setHealth({ status: error instanceof Error ? error.message : String(error) }); };
    void read().catch(tell);
    const timer = setInterval(() => void read().catch(tell), EVERY_MS);
    return () => { isWanted = false; clearInterval(timer); };
  }, []);
  if (!health) return <p className="quiet" role="status">{t("app.loading")}</p>;
  const number = new Intl.NumberFormat(locale, { maximumFractionDigits: 1 });
  const rows: [Key, string, boolean][] = [["look.health", health.status, health.status === "ok"]];
  for (const [key, part] of [["look.storage", health.storage], ["look.llm", health.llm]] as const) {
    if (part) rows.push([key, `${part.name}: ${part.message ?? part.status}`, part.status === "ok"]);
  }
  for (const part of health.mirror?.mirrors ?? []) rows.push(["look.mirror", `${part.name}: ${part.message ?? part.status}`, part.status === "ok"]);
  if (health.mirror?.mirrors) {
    rows.push(["look.pending", number.format(health.mirror.pending), !health.mirror.pending]);
    rows.push(["look.lag", `${number.format(health.mirror.lag_s)} s`, health.mirror.lag_s < 60]);
  }
  if (health.background) {
    const failing = Object.entries(health.background.failing ?? {}).map(([name, why]) => `${name}: ${why}`).join("; ");
    rows.push(["look.background", failing || health.background.status, !failing]);
  }
  if (health.version) rows.push(["look.version", health.version, true]);
  return (
    <>
      <dl className="health">
        {rows.map(([key, text, isGood], index) => <div key={index}><dt>{t(key)}</dt><dd className={isGood ? "good" : "bad"} dir="auto">{plain(text)}</dd></div>)}
      </dl>
      {has("GET /docs") ? <p><a href="docs" target="_blank" rel="noopener">{t("look.reference")}</a></p> : null}
    </>
  );
}
