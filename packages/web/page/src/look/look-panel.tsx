import { type KeyboardEvent, type ReactNode, useEffect, useState } from "react";

import { type Key, useTexts } from "../i18n/text.ts";
import { IconButton } from "../shell/icons.tsx";
import { useStore } from "../state/store.ts";
import type { Talk } from "../talk/talk.ts";
import { DocumentTab } from "./document-tab.tsx";
import { EventsTab } from "./events-tab.tsx";
import { PromptTab } from "./prompt-tab.tsx";
import { ServerTab } from "./server-tab.tsx";
import { UsageTab } from "./usage-tab.tsx";
import { canExplainRecall, RecallTab } from "./recall-tab.tsx";
import "../styles/look.css";

const TABS = ["prompt", "recall", "events", "document", "usage", "server"] as const;
type Tab = (typeof TABS)[number];

interface Props {
  talk: Talk;
  /** The turn that was asked about; without it, the newest. */
  turnId: string | undefined;
  onClose: () => void;
}

/** What the server did for the replies of this conversation. */
export function LookPanel({ talk, turnId, onClose }: Props): ReactNode {
  const { t } = useTexts();
  const [tab, show] = useState<Tab>("prompt");
  const tabs = TABS.filter((one) => one !== "recall" || canExplainRecall());
  const { tree, pendings } = useStore(talk.state);
  useEffect(() => { if (turnId) show("prompt"); }, [turnId]);
  const newest = pendings.findLast((one) => one.turnId)?.turnId ?? tree.messages.findLast(({ role, turn_id: id }) => role === "assistant" && id)?.turn_id;
  const turn = turnId ?? (newest ? String(newest) : undefined);
  const move = (event: KeyboardEvent): void => {
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (!step) return;
    const next = tabs[(tabs.indexOf(tab) + step + tabs.length) % tabs.length]!;
    show(next);
    document.getElementById(`tab-${next}`)?.focus();
  };
  return (
    <aside className="look" aria-label={t("look.title")}>
      <header className="bar">
        <h2>{t("look.title")}</h2>
        <IconButton icon="close" label={t("app.close")} onClick={onClose} />
      </header>
      <div className="tabs" role="tablist" aria-label={t("look.title")} onKeyDown={move}>
        {tabs.map((one) => (
          <button key={one} id={`tab-${one}`} type="button" role="tab" aria-selected={one === tab} aria-controls="look-panel" tabIndex={one === tab ? 0 : -1} onClick={() => show(one)}>
            {t(`look.${one}` as Key)}
          </button>
        ))}
      </div>
      <div id="look-panel" className="panel" role="tabpanel" aria-labelledby={`tab-${tab}`} tabIndex={0}>
        {tab === "prompt" ? <PromptTab key={turn} turnId={turn} /> : null}
        {tab === "recall" ? <RecallTab key={turn} talk={talk} turnId={turn} /> : null}
        {tab === "events" ? <EventsTab talk={talk} turnId={turn} /> : null}
        {tab === "document" ? <DocumentTab talk={talk} /> : null}
        {tab === "usage" ? <UsageTab talk={talk} /> : null}
        {tab === "server" ? <ServerTab /> : null}
      </div>
    </aside>
  );
}
