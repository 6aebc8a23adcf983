import type { ReactNode } from "react";

import { useTexts } from "../i18n/text.ts";
import { Avatar } from "../people/avatar.tsx";
import type { Character } from "../people/characters.ts";
import { Markdown } from "../text/markdown.tsx";
import { plain } from "../text/safe.ts";
import { drafts } from "./kept.ts";
import { picturesOf, textOf } from "./content.ts";
import type { Pending } from "./pending.ts";
import type { Talk } from "./talk.ts";

/** A message of which the server has not said yet that it is on disk. */
export function SentRow({ pending, talk }: { pending: Pending; talk: Talk }): ReactNode {
  const { t } = useTexts();
  const discard = (): void => {
    drafts.set(talk.id, talk.discard(pending));
    dispatchEvent(new Event("idolchat:draft"));
  };
  return (
    <article className="message mine" aria-label={t("talk.you")} data-state={pending.state}>
      <div className="body">
        {picturesOf(pending.user).map((url) => <img key={url.slice(0, 80) + url.length} className="picture" src={url} alt="" />)}
        <div className="text"><p dir="auto" className="plain">{plain(textOf(pending.user))}</p></div>
        {pending.state === "failed" ? (
          <p className="state error" role="alert" dir="auto">
            {t("talk.notSent", { message: plain(pending.error?.message ?? "") })}{" "}
            <button type="button" className="link" onClick={() => talk.again(pending)}>{t("talk.sendAgain")}</button>{" "}
            <button type="button" className="link" onClick={discard}>{t("talk.discard")}</button>
          </p>
        ) : null}
        {pending.state === "sending" ? (
          <p className="state">{t("talk.sending")} <button type="button" className="link" onClick={discard}>{t("talk.discard")}</button></p>
        ) : null}
      </div>
    </article>
  );
}

/** A reply as it is made. */
export function PendingReply({ pending, name, character }: { pending: Pending; name: string; character: Character | undefined }): ReactNode {
  const { t } = useTexts();
  const { state, text, prefix, reasoning } = pending;
  if (state === "failed" && pending.user !== undefined) return null; // said beside the message
  const shown = prefix + text;
  return (
    <article className="message reply" aria-label={plain(name)} aria-busy={state !== "ended" && state !== "failed"} data-state={state}>
      <Avatar of={character} />
      <div className="body">
        <header><bdi className="name">{plain(name)}</bdi></header>
        {reasoning && !text ? <p className="plain reasoning-now" dir="auto">{plain(reasoning).slice(-300)}</p> : null}
        {shown ? <div className="text"><Markdown text={shown} /></div> : null}
        {state === "failed" ? <p className="state error" role="alert" dir="auto">{t("talk.failed", { message: plain(pending.error?.message ?? "") })}</p> : null}
        {!text && state !== "ended" && state !== "failed" ? (
          <p className="thinking"><span className="dots" aria-hidden="true"><i /><i /><i /></span> {t(state === "queued" ? "talk.waiting" : "talk.thinking")}</p>
        ) : null}
      </div>
    </article>
  );
}
