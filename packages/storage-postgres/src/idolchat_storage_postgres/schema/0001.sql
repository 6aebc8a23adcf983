-- Version 1. Runs in one transaction; what comes later is added by the files that follow.

create schema if not exists idolchat; -- not among the schemas that PostgREST exposes

create table idolchat.schema_versions (
  version int primary key,
  at timestamptz not null default clock_timestamp()
);

-- Ids are kept as text, by `stored_id` of the package, which keeps the one character that text cannot hold.
create table idolchat.conversations (
  id uuid primary key,
  user_id text,
  character_id text,
  group_ids text[],                    -- of all its characters, where there are several
  created_at timestamptz not null,
  updated_at timestamptz not null,
  head text,
  count int not null,                  -- of its messages
  version bigint not null,             -- another one after every change; begins by the clock, so that no id has one twice
  rewritten bigint not null default 0, -- the version since which messages were only added
  changed xid8 not null default pg_current_xact_id(), -- the transaction of the last change
  rest json                            -- the other fields of the document; json, for jsonb changes order and numbers
);
create index conversations_newest on idolchat.conversations (updated_at desc, id desc);
create index conversations_of_user on idolchat.conversations (user_id, updated_at desc, id desc) where user_id is not null;
create index conversations_of_character on idolchat.conversations (character_id, updated_at desc, id desc)
  where character_id is not null;
create index conversations_of_groups on idolchat.conversations using gin (group_ids) where group_ids is not null;

create index conversations_changed on idolchat.conversations (changed, id);

-- Histories that are gone, or were rewritten, for who follows changes and has not looked since; kept for a month, and
-- until a mirror has followed them.
create table idolchat.gone (
  id uuid not null,
  created_at timestamptz not null,
  changed xid8 not null default pg_current_xact_id(),
  at timestamptz not null default clock_timestamp(),
  primary key (id, created_at)
);
create index gone_changed on idolchat.gone (changed, id);
create function idolchat.note_change() returns trigger language plpgsql as $$ begin
  if tg_op = 'DELETE' or tg_op = 'UPDATE' and new.rewritten <> old.rewritten then
    insert into idolchat.gone (id, created_at) values (old.id, old.created_at)
    on conflict (id, created_at) do update set changed = excluded.changed, at = excluded.at;
  end if;
  if tg_op = 'DELETE' then
    return old;
  end if;
  if tg_op = 'INSERT' then
    new.rewritten := new.version;
  end if;
  new.changed := pg_current_xact_id();
  return new;
end $$;
create trigger note_change before insert or delete on idolchat.conversations
  for each row execute function idolchat.note_change();
-- The statements of turns set it themselves, for a call of this function each would be a tenth of what their update takes.
create trigger note_update before update on idolchat.conversations
  for each row when (new.changed = old.changed) execute function idolchat.note_change();

-- Only ever added to, unless one is replaced or the whole conversation is.
create table idolchat.messages (
  conversation_id uuid not null,
  position int not null,
  id text not null,
  turn_id uuid,
  at timestamptz not null,
  user_id text,                        -- the conversation's, so that a search of one user needs no join
  character_id text,
  line json not null,                  -- the very line of the document
  words tsvector,                      -- of `words_of` of the package; null: nothing to find
  primary key (conversation_id, position)
) partition by hash (conversation_id);
do $$ begin
  for n in 0..15 loop
    execute format('create table idolchat.messages_%s partition of idolchat.messages for values with (modulus 16, remainder %s)', n, n);
    -- Nothing is chosen by them, and they take long to make and to read.
    execute format('alter table idolchat.messages_%s alter words set statistics 0', n);
  end loop;
end $$;
alter table idolchat.messages alter words set statistics 0;
create index messages_turn on idolchat.messages (turn_id) where turn_id is not null;
create index messages_of_user on idolchat.messages (user_id, at desc) where user_id is not null;
create index messages_newest on idolchat.messages (at desc);
create index messages_words on idolchat.messages using gin (words) with (fastupdate = on);

-- Small named values; names sort by their characters.
create table idolchat.records (
  namespace text collate "C" not null,
  name text collate "C" not null,
  version text not null,               -- of the value alone
  value bytea not null,
  primary key (namespace, name)
);

-- Logs, a row for what was added at once. Who adds holds a shared lock of the log's name (`logs.py`), so that who has
-- the exclusive one sees all places up to the last, and finds them at the same offsets later.
create table idolchat.log_lines (
  namespace text collate "C" not null,
  name text collate "C" not null,
  place bigint generated always as identity,
  lines bytea not null,
  primary key (namespace, name, place)
);

-- Who is alive, by the clock of the database alone.
create table idolchat.instances (
  id uuid primary key,
  inbox text not null,
  address text not null,
  version text not null,
  started_at timestamptz not null default clock_timestamp(),
  seen_at timestamptz not null default clock_timestamp(),
  draining bool not null default false
) with (fillfactor = 20, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);

-- What one process alone does for all, and which one, until a time of the database unless it asks for it again.
create table idolchat.tasks (
  task text primary key,
  owner uuid not null,
  until timestamptz not null
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);

-- The turns of each conversation that are not over: the first place runs, and the others wait for it.
create table idolchat.turns (
  conversation_id uuid not null,
  place bigint generated always as identity, -- given while the conversation is locked, so that nobody comes before who is there
  turn_id uuid not null unique,
  instance_id uuid not null,
  has_begun bool not null default false,
  follows_begun bool not null default false, -- whether one that was ahead of it has begun
  stop_as text,                        -- its instance reads it with each save
  turn json,                           -- an UnfinishedTurn: its messages while it waits, and the reply so far, twice a second
  primary key (conversation_id, place)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
create index turns_of_instance on idolchat.turns (instance_id);

-- Takes places, at most one a conversation in a call. Only a function can lock a conversation and look afterwards.
create function idolchat.enter_turns(
  conversations uuid[], ids uuid[], instance_ids uuid[], reject bool[], stop bool[], most int[]
) returns table (o bigint, result text, ahead json, version bigint) language plpgsql as $$
#variable_conflict use_column
begin
  perform pg_advisory_xact_lock(x.key) from (
    select hashtextextended(one::text, 20) as key from unnest(conversations) one order by 1) x;
  return query
  with ops as (
    select * from unnest(conversations, ids, instance_ids, reject, stop, most) with ordinality
      x(conversation_id, turn_id, instance_id, reject, stop, most, o)),
  known as (select ops.o, t.conversation_id, t.place, t.instance_id from ops join idolchat.turns t using (turn_id)),
  before as (
    select ops.o, count(*) as n, bool_or(t.has_begun) as has_begun,
      json_agg(json_build_array(t.turn_id, coalesce(i.inbox, ''), t.has_begun) order by t.place) as ahead
    from ops join idolchat.turns t using (conversation_id) left join known using (o)
      left join idolchat.instances i on i.id = t.instance_id
    where known.o is null or t.place < known.place
    group by ops.o),
  entered as (
    insert into idolchat.turns (conversation_id, turn_id, instance_id, follows_begun)
    select ops.conversation_id, ops.turn_id, ops.instance_id, coalesce(before.has_begun, false)
    from ops left join before using (o) left join known using (o)
    where known.o is null and (before.o is null or not ops.reject and before.n <= ops.most)
      and exists (select from idolchat.instances i where i.id = ops.instance_id)
    order by ops.o
    returning turns.conversation_id, turns.turn_id),
  stopped as (
    update idolchat.turns t set stop_as = 'cancelled' from ops join entered using (conversation_id, turn_id)
    where ops.stop and t.conversation_id = ops.conversation_id and t.turn_id <> ops.turn_id and t.stop_as is null)
  select ops.o, case
    when entered.turn_id is not null then 'entered'
    when known.instance_id = ops.instance_id then 'known here'
    when known.o is not null then 'known'
    when not exists (select from idolchat.instances i where i.id = ops.instance_id) then 'dead'
    when ops.reject then 'busy' else 'full' end, before.ahead, c.version
  from ops left join idolchat.conversations c on c.id = ops.conversation_id left join entered using (conversation_id, turn_id) left join known using (o) left join before using (o);
end $$;

-- Locks conversations as `enter_turns` does, and returns the numbers of those in which nobody has a place: where a turn
-- begins that may have one.
create function idolchat.unoccupied(numbers int[], conversations uuid[], ids uuid[]) returns setof int language plpgsql as $$
begin
  perform pg_advisory_xact_lock(x.key) from (
    select hashtextextended(one::text, 20) as key from unnest(conversations) one order by 1) x;
  return query
  select x.o from unnest(numbers, conversations, ids) x(o, conversation_id, turn_id)
  where not exists (select from idolchat.turns t where t.conversation_id = x.conversation_id)
    and not exists (select from idolchat.turns t where t.turn_id = x.turn_id);
end $$;

-- The lines of a page, as the document has them. It is a function so that a statement that may read pages, and seldom
-- does, has not to look at all partitions before.
create function idolchat.lines(conversation uuid, first int, past int) returns text language plpgsql stable as $$
begin
  return (select string_agg(m.line::text, E',\n' order by m.position) from idolchat.messages m
    where m.conversation_id = conversation and m.position >= first and m.position < past);
end $$;

-- Whether a turn's message may come behind what others have added from a position on: none of it is of the same turn,
-- and no question was left without a reply.
create function idolchat.may_follow(conversation uuid, known int, total int, turn uuid) returns bool language plpgsql stable as $$
begin
  return coalesce((select m.line ->> 'role' <> 'user' from idolchat.messages m
      where m.conversation_id = conversation and m.position = total - 1), false)
    and not exists (select from idolchat.messages m
      where m.conversation_id = conversation and m.position >= known and m.turn_id = turn);
end $$;

-- What instances have added to rates and sums, numbered by each; kept for a moment, for the others to read.
create unlogged table idolchat.counted (
  instance_id uuid not null,
  number bigint not null,
  sums bytea not null,
  primary key (instance_id, number)
);

-- Events of finished turns that an instance has handed over before it left.
create unlogged table idolchat.finished (
  turn_id uuid primary key,
  events bytea not null,
  until timestamptz not null
);

-- The index of memory: derived from the conversations, and emptied when its analysis has another name. Its texts are
-- bytes, which hold any character. The scope leads every key, so that no query can begin outside it.
create table idolchat.memory_scopes (
  number bigint generated always as identity primary key,
  user_id bytea,
  key bytea not null unique,
  message_count int not null default 0,
  session_count int not null default 0,
  length bigint not null default 0
);
create index memory_scopes_of_user on idolchat.memory_scopes (user_id);
create table idolchat.memory_conversations (
  number bigint generated always as identity primary key,
  scope bigint not null,
  id uuid not null unique,
  revision text not null
);
create index memory_conversations_of_scope on idolchat.memory_conversations (scope);
create table idolchat.memory_sessions (
  number bigint generated always as identity primary key,
  scope bigint not null,
  conversation bigint not null,
  message_count int not null,
  length bigint not null,
  first_at timestamptz not null,
  last_at timestamptz not null,
  encoded_count int not null           -- the first so many messages have vectors
);
create index memory_sessions_of_conversation on idolchat.memory_sessions (scope, conversation, number);
create index memory_sessions_by_time on idolchat.memory_sessions (scope, last_at);
create index memory_sessions_unencoded on idolchat.memory_sessions (number) where encoded_count < message_count;
create table idolchat.memory_messages (
  scope bigint not null,
  place bigint not null,               -- the number of its session times 4096, and its place there
  message_id bytea not null,
  position int not null,
  traits smallint not null,
  speaker bytea not null,
  said_at timestamptz not null,
  text bytea not null,
  primary key (scope, place)
);
create table idolchat.memory_postings (
  scope bigint not null,
  term bytea not null,
  place bigint not null,
  weight int not null,                 -- the number of terms of the message times 16, and how often this is among them
  primary key (scope, term, place)
);
create table idolchat.memory_vectors (
  scope bigint not null,
  place bigint not null,
  tokens bytea not null,
  primary key (scope, place)
);
create table idolchat.memory_names (   -- of the analysis that made the terms, and of the encoding of the vectors
  kind text primary key,
  name text not null
);

-- The server connects as the owner of all this, whom no policy concerns. Signed-in users of a Supabase project may read
-- what is theirs where the schema is exposed, and nothing else; partitions are closed to them.
do $$
declare
  t regclass;
begin
  for t in select c.oid::regclass from pg_class c where c.relnamespace = 'idolchat'::regnamespace and c.relkind in ('r', 'p') loop
    execute format('alter table %s enable row level security', t);
    execute format('revoke all on %s from public', t);
  end loop;
  revoke all on all functions in schema idolchat from public;
  if exists (select from pg_roles where rolname = 'authenticated') and to_regprocedure('auth.uid()') is not null then
    revoke all on all tables in schema idolchat from anon, authenticated;
    grant usage on schema idolchat to authenticated;
    grant select on idolchat.conversations, idolchat.messages to authenticated;
    create policy own on idolchat.conversations for select to authenticated using (user_id = (select auth.uid())::text);
    create policy own on idolchat.messages for select to authenticated using (user_id = (select auth.uid())::text);
  end if;
end $$;
