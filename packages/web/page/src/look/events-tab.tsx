import { ApiError, type TurnEvent } from "@idolchat/client";
import { type ReactNode, useState } from "react";

import { useTexts } from "../i18n/text.ts";
import { attempt } from "../shell/notices.tsx";
import { client } from "../state/session.ts";
import { useStore } from "../state/store.ts";
import { plain } from "../text/safe.ts";
import type { Talk } from "../talk/talk.ts";

const MOST_SHOWN = 400;

/** The events of a turn, as they come; those of an earlier one while the server keeps them. */
export function EventsTab({ talk, turnId }: { talk: Talk; turnId: string | undefined }): ReactNode {
  const { t } = useTexts();
  const { pendings } = useStore(talk.state);
  const [replayed, setReplayed] = useState<readonly TurnEvent[]>([]);
  const [isGone, setGone] = useState(false);
  const live = pendings.findLast(({ events }) => events.length);
  const events = live ? live.events.map(({ event }) => event) : replayed;
  const replay = (): void => void attempt(async () => {
    const read: TurnEvent[] = [];
    try {
      for await (const event of client.follow(turnId!)) read.push(event);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
    }
    setGone(!read.some(({ type }) => type === "started"));
    setReplayed(read);
  });
  return (
    <>
      {events.length ? null : <p className="quiet">{t(isGone ? "look.eventsGone" : "look.noEvents")}</p>}
      {!live && turnId ? <button type="button" className="button" onClick={replay}>{t("look.replay")}</button> : null}
      <ol className="events">
        {events.slice(-MOST_SHOWN).map((event) => (
          <li key={event.seq}><span className="seq">{event.seq}</span> <b>{event.type}</b> <code dir="auto">{plain(contentOf(event))}</code></li>
        ))}
      </ol>
    </>
  );
}

function contentOf(event: TurnEvent): string {
  if (event.type === "delta") return JSON.stringify(event.content) + (Object.keys(event.fields).length ? ` ${JSON.stringify(event.fields)}` : "");
  const { type: _type, seq: _seq, ...rest } = event;
  return JSON.stringify(rest);
}
