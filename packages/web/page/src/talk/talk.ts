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
  ended?: { key: string; text: string } | undefined;
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
      this.state.update({ at: "ready" });
    } catch (error) {
      if (error instanceof ApiError && error.code === "conversation_not_found" && keptSends.of(this.id).length) this.begin();
      else return this.#failed(error);
    }
    for (const kept of keptSends.of(this.id)) this.#sendKept(kept);
    for (const kept of keptTurns.of(this.id)) void this.#followKept(kept);
    await this.#findRunning().catch((error: unknown) => this.#failed(error));
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

  async #read(): Promise<void> {
    const read = await client.messages(this.id, { limit: NEWEST });
    if (!read) return;
    const { page, etag } = read;
    const start = page.total - page.messages.length;
    const known = this.state.get().tree.messages;
    const isJoined = known.length > 0 && start >= this.#start && start <= this.#start + known.length;
    if (!isJoined) this.#start = start;
    const messages = isJoined ? [...known.slice(0, start - this.#start), ...page.messages] : page.messages;
    this.#take(page, messages, etag);
    if (this.#start > 0) void this.#readOlder();
  }

  /** Read the whole, once: branches may begin anywhere. Asked for again until it comes. */
  async #readOlder(): Promise<void> {
    try {
      const { conversation, etag } = await untilReached(() => client.conversation(this.id));
      this.#start = 0;
      this.#take(conversation, conversation.messages, etag);
    } catch (error) {
      this.#failed(error);
    }
  }

  #take(document: Pick<MessagePage, "head" | "character_id" | "status">, messages: readonly Message[], etag: string | null): void {
    this.#etag = etag;
    const tree = treeOf(messages);
    // A turn whose end is known is in what was read after it.
    for (const [key, { state }] of this.#live) if (state === "ended") this.#drop(key);
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
    if (this.state.get().at !== "ready" || this.#reading || !this.#etag) return;
    try {
      const changed = await client.messages(this.id, { limit: 1 }, this.#etag);
      if (!changed) return;
      await this.sync();
      await this.#findRunning();
    } catch (error) {
      if (error instanceof ConnectionLost) return; // the next time tells
      if (error instanceof ApiError && error.isPassing) return;
      this.#failed(error);
    }
  }

  /** Whatever was sent elsewhere, or before a reload, and is still being answered. */
  async #findRunning(): Promise<void> {
    const last = this.branch.slice(-8).filter(({ role }) => role === "user");
    for (const message of last) {
      const turnId = message.turn_id ? String(message.turn_id) : undefined;
      const isAnswered = this.state.get().tree.messages.some((one) => one.role !== "user" && String(one.turn_id) === turnId);
      if (!turnId || isAnswered || this.#isFollowed(turnId)) continue;
      const { state } = await client.turn(turnId);
      if (state === "queued" || state === "running") {
        void this.#followKept({ key: turnId, kind: "follow", turnId, anchor: String(message.id), userMessageId: String(message.id) });
      }
    }
  }

  #heard(news: News): void {
    if (news.conversationId !== this.id) return;
    if (news.type === "turn") void this.#followKept(news.turn);
    else if (news.type === "deleted") this.state.update({ at: "missing" });
    else void this.sync().catch((error: unknown) => this.#failed(error));
  }

  #isFollowed(turnId: string): boolean {
    return [...this.#live.values()].some((one) => one.turnId === turnId);
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
    this.#aborts.get(pending.key)?.abort();
    keptSends.remove(this.id, pending.key);
    this.#drop(pending.key);
    this.#show();
    return textOf(pending.user);
  }

  async stop(): Promise<void> {
    const running = [...this.#live.values()].filter(({ turnId, state }) => turnId && state !== "ended");
    await Promise.all(running.map(({ turnId }) => client.cancel(turnId!)));
  }

  async #followKept(kept: KeptTurn): Promise<void> {
    if (this.#isFollowed(kept.turnId)) return;
    const { continues } = kept;
    const continued = continues ? this.state.get().tree.byId.get(continues) : undefined;
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
    if (whole) this.state.update({ ended: { key, text: whole.prefix + whole.text } });
  }

  #note(pending: Pending, event: TurnEvent): void {
    const now = this.#live.get(pending.key) ?? pending;
    now.events.push({ at: Date.now(), event });
    if (event.type === "started") {
      this.#change(pending.key, {
        turnId: event.turnId, userMessageId: event.userMessageId, model: event.model, state: event.turnsAhead ? "queued" : "running",
      });
      this.#started(pending, event.turnId, event.userMessageId);
    } else if (event.type === "delta") {
      const reasoning = typeof event.fields.reasoning === "string" ? event.fields.reasoning : "";
      this.#change(pending.key, { state: "running", text: now.text + event.content, reasoning: now.reasoning + reasoning });
    } else {
      this.#change(pending.key, { ...(event.content === undefined ? {} : { text: event.content }), error: event.error ?? undefined });
    }
  }

  #started(pending: Pending, turnId: string, userMessageId: string): void {
    keptSends.remove(this.id, pending.key);
    const { key, kind, anchor, continues } = pending;
    const kept: KeptTurn = { key, kind, turnId, anchor, userMessageId, continues };
    keptTurns.add(this.id, kept);
    if (kind !== "follow") tell({ type: "turn", conversationId: this.id, turn: kept });
    if (!this.#etag) void this.sync().catch((error: unknown) => this.#failed(error)); // a greeting stands before it
    refreshConversations();
  }

  #refused(pending: Pending, error: unknown): void {
    const problem = problemOf(error);
    if (pending.turnId || pending.kind === "follow") {
      keptTurns.remove(this.id, pending.key);
      this.#drop(pending.key);
      this.#show();
      void this.#settle();
    } else this.#change(pending.key, { state: "failed", error: problem });
  }

  async #settle(): Promise<void> {
    try {
      await this.sync();
      tell({ type: "changed", conversationId: this.id });
    } catch (error) {
      if (!(error instanceof ConnectionLost)) this.#failed(error); // else the next poll brings it
    }
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
