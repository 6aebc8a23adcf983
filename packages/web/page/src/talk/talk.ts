/** One conversation as this window has it: the document, and what is under way in it. */

import { ApiError, ConnectionLost, type Content, type Message, type MessagePage, type Problem, type TurnEvent, newId } from "@idolchat/client";

import { refreshConversations } from "../state/conversations.ts";
import { chosenModel } from "../state/model.ts";
import { client, expire, untilReached } from "../state/session.ts";
import { Store } from "../state/store.ts";
import { textOf } from "./content.ts";
import { type KeptSend, type KeptTurn, keptSends, keptTurns } from "./kept.ts";
import type { Pending } from "./pending.ts";
import { branchTo, leafOf, type Tree, treeOf } from "./tree.ts";
import { hear, type News, tell } from "./windows.ts";

export interface TalkState {
  at: "loading" | "ready" | "missing" | "failed";
  problem?: Problem | undefined;
  characterId: string | undefined;
  isDamaged: boolean;
  tree: Tree;
  head: string | null;
  /** Older messages are still being read. */
  isPartial: boolean;
  pendings: readonly Pending[];
  /** The reply that was whole last, for whoever cannot see it. */
  ended?: { key: string; text: string; characterId?: string | undefined } | undefined;
}

const NEWEST = 200;
const POLL_MS = 5000;

export class Talk {
  readonly id: string;
  readonly state: Store<TalkState>;
  #etag: string | null = null;
  #start = 0;
  #reading: Promise<void> | undefined;
  #frame = 0;
  #live = new Map<string, Pending>();
  /** Turns without a reply of which the server was asked: each once. */
  #asked = new Set<string>();
  #aborts = new Map<string, AbortController>();
  #stops: (() => void)[] = [];

  constructor(id: string, characterId?: string) {
    this.id = id;
    this.state = new Store<TalkState>({
      at: "loading", characterId, isDamaged: false, tree: treeOf([]), head: null, isPartial: false, pendings: [],
    });
  }

  get branch(): Message[] {
    const { tree, head } = this.state.get();
    return branchTo(tree, head);
  }

  /** Whether nothing of it is stored yet. */
  get isNew(): boolean {
    return this.#etag === null;
  }

  get isBusy(): boolean {
    return this.state.get().pendings.some(({ state }) => state !== "failed" && state !== "ended");
  }

  // Reading

  /** Follow the conversation while it is shown. */
  open(): () => void {
    if (this.state.get().at !== "ready") void this.#load();
    else void this.#poll();
    const timer = setInterval(() => void (document.visibilityState === "visible" && !this.isBusy && this.#poll()), POLL_MS);
    const shown = (): void => void (document.visibilityState === "visible" && this.#poll());
    document.addEventListener("visibilitychange", shown);
    addEventListener("online", shown);
    this.#stops.push(hear((news) => this.#heard(news)), () => clearInterval(timer), () => {
      document.removeEventListener("visibilitychange", shown);
      removeEventListener("online", shown);
    });
    return () => { for (const stop of this.#stops.splice(0)) stop(); };
  }

  /** A conversation that begins here, and is on no disk yet. */
  begin(): void {
    this.state.update({ at: "ready" });
  }

  async reload(): Promise<void> {
    this.state.update({ at: "loading", problem: undefined });
    await this.#load();
  }

  async #load(): Promise<void> {
    try {
      await this.sync();
    } catch (error) {
      const isUnsent = error instanceof ApiError && error.code === "conversation_not_found" && keptSends.of(this.id).length > 0;
      if (!isUnsent) return this.#failed(error);
    }
    for (const kept of keptSends.of(this.id)) this.#sendKept(kept);
    for (const kept of keptTurns.of(this.id)) void this.#followKept(kept);
    this.state.update({ at: "ready" });
  }

  #failed(error: unknown): void {
    if (error instanceof ApiError && error.status === 401) return expire(error);
    const problem = problemOf(error);
    this.state.update({ at: problem.code === "conversation_not_found" ? "missing" : "failed", problem });
  }

  /** Bring what is shown up to what is stored. */
  async sync(): Promise<void> {
    while (this.#reading) await this.#reading;
    this.#reading = this.#read().finally(() => (this.#reading = undefined));
    await this.#reading;
  }

  /** As `sync`, where nobody waits for it. False where the network kept it back: the next poll brings it. */
  async #catchUp(): Promise<boolean> {
    try {
      await this.sync();
      return true;
    } catch (error) {
      if (!isPassing(error)) this.#failed(error);
      return false;
    }
  }

  async #read(): Promise<void> {
    const ended = this.#ended();
    const read = await client.messages(this.id, { limit: NEWEST });
    if (!read) return;
    const { page, etag } = read;
    const start = page.total - page.messages.length;
    const known = this.state.get().tree.messages;
    const isJoined = known.length > 0 && start >= this.#start && start <= this.#start + known.length;
    if (!isJoined) this.#start = start;
    const messages = isJoined ? [...known.slice(0, start - this.#start), ...page.messages] : page.messages;
    const tree = treeOf(messages);
    const running = await this.#runningIn(tree, page.head);
    this.#take(page, tree, etag, ended);
    for (const turn of running) void this.#followKept(turn); // at once: no message is shown without its reply
    if (this.#start > 0) void this.#readOlder();
  }

  /** Read the whole, once: branches may begin anywhere. Asked for again until it comes. */
  async #readOlder(): Promise<void> {
    const ended = this.#ended();
    try {
      const { conversation, etag } = await untilReached(() => client.conversation(this.id));
      this.#start = 0;
      this.#take(conversation, treeOf(conversation.messages), etag, ended);
    } catch (error) {
      this.#failed(error);
    }
  }

  /** Show what was read. Turns in `ended` had ended before it was asked for, so that they are in it. */
  #take(document: Pick<MessagePage, "head" | "character_id" | "status">, tree: Tree, etag: string | null, ended: readonly string[]): void {
    this.#etag = etag;
    for (const key of ended) this.#drop(key);
    this.state.update({
      tree,
      head: document.head ? String(document.head) : null,
      characterId: document.character_id ? String(document.character_id) : this.state.get().characterId,
      isDamaged: document.status === "damaged",
      isPartial: this.#start > 0,
      pendings: this.#pendings(),
    });
  }

  async #poll(): Promise<void> {
    const isBehind = this.#ended().length > 0; // what had ended could not be read
    if (this.state.get().at !== "ready" || this.#reading || (this.isNew && !isBehind)) return;
    try {
      if (isBehind || (await client.messages(this.id, { limit: 1 }, this.#etag))) await this.sync();
    } catch (error) {
      if (!isPassing(error)) this.#failed(error); // else the next time tells
    }
  }

  /** Whatever was sent elsewhere, or before a reload, and is still being answered. */
  async #runningIn(tree: Tree, head: MessagePage["head"]): Promise<KeptTurn[]> {
    const running: KeptTurn[] = [];
    for (const { id, role, turn_id: turn } of branchTo(tree, head ? String(head) : null).slice(-8)) {
      const turnId = String(turn);
      const hasReply = tree.childrenOf.get(String(id))?.some((child) => tree.byId.get(child)!.role === "assistant") ?? false;
      if (role !== "user" || !turn || hasReply || isAnswered(tree, turnId) || this.#isFollowed(turnId) || this.#asked.has(turnId)) continue;
      if (await hasEvents(turnId)) running.push({ key: turnId, kind: "follow", turnId, anchor: String(id), userMessageId: String(id) });
      this.#asked.add(turnId);
    }
    return running;
  }

  #heard(news: News): void {
    if (news.conversationId !== this.id) return;
    if (news.type === "turn") void this.#join(news.turn);
    else if (news.type === "deleted") this.state.update({ at: "missing" });
    else void this.#catchUp();
  }

  /** Follow what another window has begun. Its message is stored, and shown first. */
  async #join(turn: KeptTurn): Promise<void> {
    if (!this.state.get().tree.byId.has(turn.userMessageId)) await this.#catchUp();
    await this.#followKept(turn);
  }

  #isFollowed(turnId: string): boolean {
    const isKept = keptTurns.of(this.id).some((one) => one.turnId === turnId); // is about to be
    return isKept || this.#pendings().some((one) => one.turnId === turnId);
  }

  /** Turns whose end is known, and whose reply is shown from what was heard of it. */
  #ended(): string[] {
    return this.#pendings().filter(({ state }) => state === "ended").map(({ key }) => key);
  }

  // Turns

  send(content: Content, characterId?: string): void {
    const last = this.branch.at(-1);
    const kept: KeptSend = { key: newId(), kind: "send", anchor: last ? String(last.id) : null, content, characterId, model: chosenModel.get() || undefined };
    keptSends.add(this.id, kept);
    this.#sendKept(kept);
  }

  edit(target: string, content: Content): void {
    const anchor = this.state.get().tree.parentOf.get(target) ?? null;
    const kept: KeptSend = { key: newId(), kind: "edit", anchor, target, content, model: chosenModel.get() || undefined };
    keptSends.add(this.id, kept);
    this.#sendKept(kept);
  }

  #sendKept(kept: KeptSend): void {
    const pending = this.#begin({ key: kept.key, kind: kept.kind, anchor: kept.anchor, user: kept.content });
    void this.#run(pending, (signal) => {
      const how = { idempotencyKey: kept.key, signal, options: optionsOf(kept.model) };
      return kept.kind === "edit" && kept.target
        ? client.edit(this.id, kept.target, kept.content, how)
        : client.send(kept.content, { ...how, conversationId: this.id, characterId: kept.characterId });
    });
  }

  /** Answer the last message once more. */
  regenerate(): void {
    const reply = this.branch.at(-1);
    if (!reply) return;
    const asked = this.#askedBy(String(reply.id));
    const pending = this.#begin({ key: newId(), kind: "regenerate", anchor: asked, userMessageId: asked ?? undefined });
    void this.#run(pending, (signal) => client.regenerate(this.id, { signal, options: optionsOf(chosenModel.get()) }));
  }

  continueReply(reply: Message): void {
    const asked = this.#askedBy(String(reply.id));
    const pending = this.#begin({
      key: newId(), kind: "continue", anchor: asked, userMessageId: asked ?? undefined, prefix: textOf(reply.content), continues: String(reply.id),
    });
    void this.#run(pending, (signal) => client.continueReply(this.id, String(reply.id), { signal }));
  }

  retry(reply: Message): void {
    const asked = this.#askedBy(String(reply.id));
    const pending = this.#begin({ key: newId(), kind: "retry", anchor: asked, userMessageId: asked ?? undefined });
    void this.#run(pending, (signal) => client.retry(String(reply.turn_id), { signal }));
  }

  #askedBy(replyId: string): string | null {
    const { tree } = this.state.get();
    const reply = tree.byId.get(replyId);
    return reply?.role === "user" ? replyId : (tree.parentOf.get(replyId) ?? null);
  }

  /** Send once more what the server refused. */
  again(pending: Pending): void {
    const kept = keptSends.of(this.id).find(({ key }) => key === pending.key);
    this.#drop(pending.key);
    this.#show();
    if (kept) this.#sendKept(kept);
    else if (pending.kind === "regenerate") this.regenerate();
  }

  /** Take back what the server has not got, and return its text. */
  discard(pending: Pending): string {
    keptSends.remove(this.id, pending.key);
    this.#leave(pending);
    this.#show();
    return textOf(pending.user);
  }

  async stop(): Promise<void> {
    const running = [...this.#live.values()].filter(({ turnId, state }) => turnId && state !== "ended");
    await Promise.all(running.map(({ turnId }) => client.cancel(turnId!)));
  }

  async #followKept(kept: KeptTurn): Promise<void> {
    const { tree } = this.state.get();
    if (isAnswered(tree, kept.turnId)) return keptTurns.remove(this.id, kept.key);
    if (this.#pendings().some(({ turnId }) => turnId === kept.turnId)) return;
    const { continues } = kept;
    const continued = continues ? tree.byId.get(continues) : undefined;
    const pending = this.#begin({ ...kept, prefix: textOf(continued?.content) });
    await this.#run(pending, (signal) => client.follow(kept.turnId, { signal }));
  }

  #begin(about: Partial<Pending> & Pick<Pending, "key" | "kind" | "anchor">): Pending {
    const pending: Pending = { prefix: "", text: "", reasoning: "", state: "sending", model: null, events: [], ...about };
    this.#live.set(pending.key, pending);
    this.#show();
    return pending;
  }

  async #run(pending: Pending, open: (signal: AbortSignal) => AsyncGenerator<TurnEvent>): Promise<void> {
    const abort = new AbortController();
    this.#aborts.set(pending.key, abort);
    try {
      for await (const event of open(abort.signal)) this.#note(pending, event);
    } catch (error) {
      if (abort.signal.aborted) return;
      if (error instanceof ApiError && error.status === 401) return expire(error);
      this.#refused(pending, error);
      return;
    } finally {
      this.#aborts.delete(pending.key);
    }
    this.#change(pending.key, { state: "ended" });
    this.#tellEnded(pending.key);
    keptTurns.remove(this.id, pending.key);
    await this.#settle();
  }

  /** Kept apart from what is under way, which may be gone before it is painted. */
  #tellEnded(key: string): void {
    const whole = this.#live.get(key);
    if (whole) this.state.update({ ended: { key, text: whole.prefix + whole.text, characterId: whole.characterId } });
  }

  #note(pending: Pending, event: TurnEvent): void {
    const now = this.#live.get(pending.key) ?? pending;
    now.events.push({ at: Date.now(), event });
    if (event.type === "started") {
      this.#change(pending.key, {
        turnId: event.turnId, userMessageId: event.userMessageId, model: event.model, state: event.turnsAhead ? "queued" : "running",
        characterId: event.characterId ?? undefined,
      });
      this.#started(pending, event.turnId, event.userMessageId);
    } else if (event.type === "delta") {
      const reasoning = typeof event.fields.reasoning === "string" ? event.fields.reasoning : "";
      this.#change(pending.key, { state: "running", text: now.text + event.content, reasoning: now.reasoning + reasoning });
    } else {
      this.#change(pending.key, { ...(event.content === undefined ? {} : { text: event.content }), error: event.error ?? undefined, characterId: event.characterId ?? now.characterId });
    }
  }

  #started(pending: Pending, turnId: string, userMessageId: string): void {
    keptSends.remove(this.id, pending.key);
    const { key, kind, anchor, continues } = pending;
    const kept: KeptTurn = { key, kind, turnId, anchor, userMessageId, continues };
    keptTurns.add(this.id, kept);
    const isBegunHere = pending.turnId === undefined;
    if (isBegunHere) {
      for (const other of this.#pendings()) if (other.turnId === turnId && other.key !== key) this.#leave(other); // found on the disk before it was told here
      tell({ type: "turn", conversationId: this.id, turn: kept });
    }
    if (this.isNew) void this.#catchUp(); // a greeting stands before it
    refreshConversations();
  }

  #refused(pending: Pending, error: unknown): void {
    const problem = problemOf(error);
    const isBegun = this.#live.get(pending.key)?.turnId !== undefined;
    if (isBegun) {
      this.#drop(pending.key);
      this.#show();
      void this.#settle();
    } else this.#change(pending.key, { state: "failed", error: problem });
  }

  async #settle(): Promise<void> {
    if (await this.#catchUp()) tell({ type: "changed", conversationId: this.id });
    refreshConversations();
  }

  // Branches

  async choose(sibling: string): Promise<void> {
    const { tree } = this.state.get();
    const head = leafOf(tree, sibling);
    this.state.update({ head });
    await this.#changing(() => client.chooseBranch(this.id, head));
  }

  async deleteMessage(id: string): Promise<void> {
    await this.#changing(() => client.deleteMessage(this.id, id));
  }

  async #changing(change: () => Promise<unknown>): Promise<void> {
    try {
      await change();
    } finally {
      // What was read before may have changed anywhere.
      await (this.state.get().tree.messages.length > NEWEST ? this.#readOlder() : this.sync());
      tell({ type: "changed", conversationId: this.id });
    }
  }

  async delete(): Promise<void> {
    await client.deleteConversation(this.id);
    tell({ type: "deleted", conversationId: this.id });
    talks.delete(this.id);
    refreshConversations();
  }

  // Showing

  #change(key: string, change: Partial<Pending>): void {
    const now = this.#live.get(key);
    if (!now) return;
    this.#live.set(key, { ...now, ...change });
    this.#showSoon();
  }

  /** Hear no more of it. */
  #leave({ key }: Pending): void {
    this.#aborts.get(key)?.abort();
    this.#drop(key);
  }

  #drop(key: string): void {
    this.#live.delete(key);
    keptTurns.remove(this.id, key);
  }

  /** Once a frame, however many deltas come; at once where nothing is painted. */
  #showSoon(): void {
    if (document.visibilityState !== "visible") return this.#show();
    this.#frame ||= requestAnimationFrame(() => this.#show());
  }

  #show(): void {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    this.state.update({ pendings: this.#pendings() });
  }

  #pendings(): Pending[] {
    return [...this.#live.values()];
  }
}

function optionsOf(model: string | undefined): { model?: string } {
  return model ? { model } : {};
}

function isAnswered(tree: Tree, turnId: string): boolean {
  return tree.messages.some((one) => one.role !== "user" && String(one.turn_id) === turnId);
}

/** Whether a turn tells more than is stored of it: it is under way, or its reply came since that was read. */
async function hasEvents(turnId: string): Promise<boolean> {
  try {
    const { state, message_id: replyId } = await client.turn(turnId);
    return state === "queued" || state === "running" || Boolean(replyId);
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return false;
    throw error;
  }
}

/** Whether the same may be read again in a moment. */
function isPassing(error: unknown): boolean {
  return error instanceof ConnectionLost || (error instanceof ApiError && error.isPassing);
}

export function problemOf(error: unknown): Problem {
  if (error instanceof ApiError) return { ...error.problem, code: error.code };
  if (error instanceof ConnectionLost || error instanceof TypeError) return { message: error.message, code: "connection_lost" };
  throw error;
}

const talks = new Map<string, Talk>();
const MOST_TALKS = 8;

export function talkOf(id: string): Talk {
  const known = talks.get(id);
  if (known) return known;
  for (const [old, talk] of talks) {
    if (talks.size < MOST_TALKS) break;
    if (!talk.isBusy) talks.delete(old);
  }
  const talk = new Talk(id);
  talks.set(id, talk);
  return talk;
}

/** A conversation that is begun here; it is stored with its first message. */
export function newTalk(characterId: string | undefined): Talk {
  const talk = new Talk(newId(), characterId);
  talk.begin();
  talks.set(talk.id, talk);
  return talk;
}
