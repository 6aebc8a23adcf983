import { ApiError } from "@idolchat/client";
import type { ReactNode } from "react";

import { useTexts } from "../i18n/text.ts";
import { has } from "../state/session.ts";
import { useStore } from "../state/store.ts";
import type { Talk } from "../talk/talk.ts";
import { useExplanation } from "./explanation.ts";
import { LoreSection } from "./lore.tsx";
import { MemorySection } from "./memory.tsx";

/** What of lorebooks and of memory the reply was given, and why that. */
export function RecallTab({ talk, turnId }: { talk: Talk; turnId: string | undefined }): ReactNode {
  const { t } = useTexts();
  const found = useExplanation(turnId);
  const { characterId } = useStore(talk.state);
  if (!turnId) return <p className="quiet">{t("look.pick")}</p>;
  if (!found) return <p className="quiet" role="status">{t("app.loading")}</p>;
  if (found instanceof ApiError) return <p className="quiet">{found.status === 410 ? t("look.gone") : found.message}</p>;
  return (
    <>
      {has("GET /characters") ? <LoreSection parts={found.parts} conversationId={talk.id} characterId={characterId} /> : null}
      {has("GET /memory") ? <MemorySection of={found} talk={talk} /> : null}
    </>
  );
}

/** Whether there is anything that it could tell of. */
export function canExplainRecall(): boolean {
  return has("GET /characters") || has("GET /memory");
}
