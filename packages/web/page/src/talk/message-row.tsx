import type { Message } from "@idolchat/client";
import { type ReactNode, memo, useState } from "react";

import { useTexts } from "../i18n/text.ts";
import { Avatar } from "../people/avatar.tsx";
import type { Character } from "../people/characters.ts";
import { Ask } from "../shell/dialog.tsx";
import { IconButton } from "../shell/icons.tsx";
import { attempt, notify } from "../shell/notices.tsx";
import { When } from "../shell/sidebar.tsx";
import { useStore } from "../state/store.ts";
import { Markdown } from "../text/markdown.tsx";
import { plain } from "../text/safe.ts";
import { picturesOf, textOf, withText } from "./content.ts";
import { EditBox } from "./edit-box.tsx";
import type { Talk } from "./talk.ts";
import { siblingsOf } from "./tree.ts";

interface Props {
  message: Message;
  talk: Talk;
  name: string;
  /** Whether it ends the active branch, and nothing is under way. */
  isLast: boolean;
  character: Character | undefined;
  onLook: (turnId: string) => void;
}

export const MessageRow = memo(function MessageRow(props: Props): ReactNode {
  const { message, talk, name, character } = props;
  const { t } = useTexts();
  const [isEdited, edit] = useState(false);
  const isReply = message.role === "assistant";
  const who = isReply ? name : t("talk.you");
  return (
    <article className={isReply ? "message reply" : "message mine"} aria-label={plain(who)}>
      {isReply ? <Avatar of={character} /> : null}
      <div className="body">
        <header>{isReply ? <bdi className="name">{plain(name)}</bdi> : <span className="unseen">{who}</span>} <When at={message.timestamp} /></header>
        {isEdited ? (
          <EditBox
            text={textOf(message.content)}
            onCancel={() => edit(false)}
            onSave={(text) => { edit(false); talk.edit(String(message.id), withText(message.content, text)); }}
          />
        ) : (
          <Said message={message} />
        )}
        <State message={message} talk={talk} isLast={props.isLast} />
        {isEdited ? null : <Actions {...props} onEdit={() => edit(true)} />}
      </div>
    </article>
  );
});

function Said({ message }: { message: Message }): ReactNode {
  const { t } = useTexts();
  if (message.deleted_at) return <p className="gone">{t("talk.deleted")}</p>;
  const reasoning = (message as { reasoning?: unknown }).reasoning;
  const text = textOf(message.content);
  return (
    <>
      {typeof reasoning === "string" && reasoning ? (
        <details className="reasoning"><summary>{t("talk.reasoning")}</summary><p dir="auto" className="plain">{plain(reasoning)}</p></details>
      ) : null}
      {picturesOf(message.content).map((url) => <img key={url.slice(0, 80) + url.length} className="picture" src={url} alt="" />)}
      <div className="text">{message.role === "assistant" ? <Markdown text={text} /> : <p dir="auto" className="plain">{plain(text)}</p>}</div>
    </>
  );
}

const CUT = new Set(["incomplete", "interrupted", "error"]);

/** What became of a reply, where it is not simply there. */
function State({ message, talk, isLast }: { message: Message; talk: Talk; isLast: boolean }): ReactNode {
  const { t } = useTexts();
  const { finish_reason: reason, error } = message;
  if (message.role !== "assistant" || !reason) return null;
  if (reason === "cancelled") return <p className="state">{t("talk.cancelled")}</p>;
  if (reason === "length") return <p className="state">{t("talk.length")}</p>;
  if (reason === "content_filter") return <p className="state">{t("talk.filtered")}</p>;
  if (!CUT.has(reason)) return textOf(message.content) ? null : <p className="state">{t("talk.empty")}</p>;
  const why = plain(String((error as { message?: string } | null)?.message ?? ""));
  const said = reason === "interrupted" ? t("talk.interrupted") : reason === "error" ? t("talk.failed", { message: why }) : t("talk.cut", { message: why });
  return (
    <p className="state error" dir="auto">
      {said} {isLast && message.turn_id ? <button type="button" className="link" onClick={() => talk.retry(message)}>{t("do.retry")}</button> : null}
    </p>
  );
}

function Actions({ message, talk, isLast, onLook, onEdit }: Props & { onEdit: () => void }): ReactNode {
  const { t } = useTexts();
  const [isAsked, ask] = useState(false);
  const id = String(message.id);
  const isReply = message.role === "assistant";
  const text = textOf(message.content);
  const copy = (): void => void attempt(async () => {
    await navigator.clipboard.writeText(text);
    notify(t("do.copied"));
  });
  return (
    <div className="actions">
      <Versions id={id} talk={talk} />
      {message.deleted_at ? null : (
        <>
          <IconButton icon="copy" label={t("do.copy")} onClick={copy} />
          {isReply ? null : <IconButton icon="edit" label={t("do.edit")} onClick={onEdit} />}
          {isReply && isLast && message.turn_id ? <IconButton icon="again" label={t("do.regenerate")} onClick={() => talk.regenerate()} /> : null}
          {isReply && isLast && text && message.turn_id ? <IconButton icon="forward" label={t("do.continue")} onClick={() => talk.continueReply(message)} /> : null}
          {isReply && message.turn_id ? <IconButton icon="look" label={t("do.look")} onClick={() => onLook(String(message.turn_id))} /> : null}
          <IconButton icon="trash" label={t("do.delete")} onClick={() => ask(true)} />
        </>
      )}
      {isAsked ? <Ask question={t("do.deleteAsk")} action={t("do.delete")} onClose={() => ask(false)} onDo={() => void attempt(() => talk.deleteMessage(id))} /> : null}
    </div>
  );
}

/** Pages through what stands in the same place: other replies, edits, greetings. */
function Versions({ id, talk }: { id: string; talk: Talk }): ReactNode {
  const { t } = useTexts();
  const { tree } = useStore(talk.state);
  const siblings = siblingsOf(tree, id);
  if (siblings.length < 2) return null;
  const at = siblings.indexOf(id);
  const page = (to: number): void => void attempt(() => talk.choose(siblings[to]!));
  return (
    <span className="versions" role="group" aria-label={t("do.version", { number: at + 1, count: siblings.length })}>
      <IconButton icon="previous" label={t("do.previous")} isDisabled={at === 0} onClick={() => page(at - 1)} />
      <span className="number">{at + 1} / {siblings.length}</span>
      <IconButton icon="next" label={t("do.next")} isDisabled={at === siblings.length - 1} onClick={() => page(at + 1)} />
    </span>
  );
}
