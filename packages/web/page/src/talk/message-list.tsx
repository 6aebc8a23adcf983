import { type ReactNode, useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import { VList } from "virtua";

import { useTexts } from "../i18n/text.ts";
import { IconButton } from "../shell/icons.tsx";
import { useStore } from "../state/store.ts";
import { type Character, nameOf, useCharacter } from "../people/characters.ts";
import { plain } from "../text/safe.ts";
import { MessageRow } from "./message-row.tsx";
import { PendingReply, SentRow } from "./pending-rows.tsx";
import { type Row, rowsOf } from "./pending.ts";
import type { Talk } from "./talk.ts";
import { branchTo } from "./tree.ts";

interface Props {
  talk: Talk;
  name: string | undefined;
  onLook: (turnId: string) => void;
}

const UPWARDS = new Set(["Home", "PageUp", "ArrowUp"]);
const NEAR = 80; // pixels from the end that still count as reading the newest

/** Only what can be seen is in the page, however much was said. */
export function MessageList({ talk, name, onLook }: Props): ReactNode {
  const { t } = useTexts();
  const { tree, head, pendings, isPartial, characterId } = useStore(talk.state);
  const character = useCharacter(characterId);
  const branch = useMemo(() => branchTo(tree, head).filter(({ role }) => role === "user" || role === "assistant"), [tree, head]);
  const rows = useMemo(() => rowsOf(branch, pendings), [branch, pendings]);
  const isAtEnd = useRef(true);
  const [isAway, setAway] = useState(false);
  const wasPartial = useRef(isPartial);
  const isGrowingUp = wasPartial.current && !isPartial;
  useEffect(() => { wasPartial.current = isPartial; }, [isPartial]);

  // Not by the list's own functions: they repeat themselves for a moment, against whoever scrolls up meanwhile.
  const box = useRef<HTMLDivElement>(null);
  const showEnd = useCallback(() => {
    const scroll = box.current?.querySelector(".scroll");
    if (scroll) scroll.scrollTop = scroll.scrollHeight;
  }, []);
  // Where a reader has jumped to and has done nothing since: the list puts its place right as it measures what comes into
  // sight, and the browser goes on with the scrolling that it had begun, and both would leave it again.
  const held = useRef<"top" | "end">(undefined);
  const toEnd = useCallback(() => {
    held.current = "end";
    isAtEnd.current = true;
    showEnd();
    setAway(false);
  }, [showEnd]);
  const newest = rows.at(-1)?.key;
  const own = rows.findLast(({ kind }) => kind === "sent")?.key;
  useLayoutEffect(() => {
    if (!own) return;
    held.current = undefined;
    isAtEnd.current = true; // who sends wants to see it
  }, [own]);
  useLayoutEffect(() => {
    if (!isAtEnd.current || !rows.length) return;
    showEnd();
    const frame = requestAnimationFrame(() => { if (isAtEnd.current) showEnd(); });
    return () => cancelAnimationFrame(frame);
  }, [rows, newest, showEnd]);

  // What grows or shrinks moves nobody who reads the newest: only scrolling up leaves it.
  const before = useRef(0);
  const isLeaving = useRef(false); // a key or the wheel was used: near the end is not at the end until it is come back to
  const look = useCallback((scroll: Element) => {
    if (held.current === "top" && scroll.scrollTop > 0) scroll.scrollTop = 0;
    if (held.current === "end") scroll.scrollTop = scroll.scrollHeight;
    const offset = scroll.scrollTop;
    const isNear = scroll.scrollHeight - offset - scroll.clientHeight < NEAR;
    const isShort = scroll.scrollHeight <= scroll.clientHeight;
    if (!isLeaving.current || !isNear || isShort || offset > before.current) {
      isLeaving.current = false;
      if (isNear) isAtEnd.current = true;
      else if (offset < before.current - 1) isAtEnd.current = false;
    }
    before.current = offset;
    setAway(!isAtEnd.current);
  }, []);
  useEffect(() => {
    const scroll = box.current?.querySelector(".scroll");
    if (!scroll) return;
    const observer = new ResizeObserver(() => {
      look(scroll); // a person may have scrolled, and the event not come yet
      if (isAtEnd.current) showEnd();
    });
    observer.observe(scroll);
    if (scroll.firstElementChild) observer.observe(scroll.firstElementChild);
    const onScroll = (): void => look(scroll); // the browser's own event: the list tells nothing of where it puts itself right
    scroll.addEventListener("scroll", onScroll, { passive: true });
    return () => {
      observer.disconnect();
      scroll.removeEventListener("scroll", onScroll);
    };
  }, [look, showEnd]);
  const leave = useCallback(() => {
    isAtEnd.current = false;
    isLeaving.current = true;
  }, []);
  const go = useCallback(() => { held.current = undefined; }, []);
  const lastReply = branch.at(-1);
  return (
    <div ref={box} className="messages" role="log" aria-live="off" aria-label={name ? t("talk.with", { name }) : t("talk.label")}>
      {isPartial ? <p className="quiet older" role="status">{t("talk.older")}</p> : null}
      <VList className="scroll" tabIndex={0} shift={isGrowingUp} bufferSize={600}
        onPointerDown={go}
        onWheel={({ deltaY }) => { go(); if (deltaY < 0) leave(); }}
        onKeyDown={(event) => {
          const { key, target, currentTarget, altKey, ctrlKey, metaKey, shiftKey } = event;
          go();
          if (target !== currentTarget) return;
          if (UPWARDS.has(key)) leave();
          if (altKey || ctrlKey || metaKey || shiftKey || !(key === "Home" || key === "End")) return;
          event.preventDefault(); // the browser would go there by and by
          if (key === "End") return toEnd();
          held.current = "top";
          currentTarget.scrollTop = 0;
        }}
      >
        {rows.map((row, index) => (
          <div key={row.key} className={index === rows.length - 1 ? "row last" : "row"}>
            <RowOf row={row} talk={talk} name={name ?? t("talk.reply")} isLast={row.kind === "message" && row.message === lastReply && !pendings.length} onLook={onLook} character={character} />
          </div>
        ))}
      </VList>
      {isAway ? <IconButton icon="down" label={t("talk.newest")} className="to-newest" onClick={toEnd} /> : null}
      <Announcer talk={talk} name={name ?? t("talk.reply")} />
    </div>
  );
}

interface RowProps extends Props {
  row: Row;
  name: string;
  isLast: boolean;
  character: Character | undefined;
}

/** Who says a row, where that is not whom the conversation is called after. */
function speakerOf(row: Row): string | null | undefined {
  if (row.kind === "message") return row.message.character_id;
  return row.kind === "reply" ? row.pending.characterId : undefined;
}

function RowOf({ row, talk, name: named, isLast, onLook, character: first }: RowProps): ReactNode {
  const { name, character } = useSpeaker(speakerOf(row), talk, named, first);
  if (row.kind === "message") return <MessageRow message={row.message} talk={talk} name={name} isLast={isLast} onLook={onLook} character={character} />;
  if (row.kind === "sent") return <SentRow pending={row.pending} talk={talk} />;
  return <PendingReply pending={row.pending} name={name} character={character} />;
}

/** Finds who speaks among several characters; without an id it is the one whom the conversation is called after. */
function useSpeaker(id: string | null | undefined, talk: Talk, name: string, first?: Character): { name: string; character: Character | undefined } {
  const { t } = useTexts();
  const isAnother = id != null && id !== talk.state.get().characterId;
  const another = useCharacter(isAnother ? id : undefined);
  if (!isAnother) return { name, character: first };
  return { name: another ? plain(nameOf(another)) : t("talk.reply"), character: another };
}

/** Says a reply once it is whole: word by word it would be said over and over. */
function Announcer({ talk, name: named }: { talk: Talk; name: string }): ReactNode {
  const { t } = useTexts();
  const { ended } = useStore(talk.state);
  const { name } = useSpeaker(ended?.characterId, talk, named);
  const known = useRef(ended?.key); // what ended before this was shown is not said again
  const isNew = ended !== undefined && ended.key !== known.current;
  return <p className="unseen" role="status">{isNew ? `${t("talk.written", { name })} ${plain(ended.text).slice(0, 2000)}` : ""}</p>;
}
