-- The table that idolchat lists conversations by. Paste it into the SQL editor of your project, or run it with psql;
-- running it again changes nothing. idolchat writes one row per conversation and finds the table by itself.

create table if not exists public.chats (
    id uuid primary key,
    user_id text,
    character_id text,
    updated_at timestamptz not null,
    created_at timestamptz,
    message_count bigint,
    status text,
    written_at timestamptz,
    character_ids text[]
);

-- A table that an earlier version made gets the columns that it lacks.
alter table public.chats
    add column if not exists created_at timestamptz,
    add column if not exists message_count bigint,
    add column if not exists status text,
    add column if not exists written_at timestamptz,
    add column if not exists character_ids text[];

create index if not exists chats_by_time on public.chats (updated_at desc, id desc);
create index if not exists chats_by_user on public.chats (user_id, updated_at desc, id desc);
create index if not exists chats_by_character on public.chats (character_id, updated_at desc, id desc);
create index if not exists chats_by_characters on public.chats using gin (character_ids);

-- Nobody sees anything but by a rule. idolchat's secret key stands above the rules.
alter table public.chats enable row level security;

revoke all on public.chats from anon, authenticated;
grant select on public.chats to authenticated;
grant select, insert, update, delete on public.chats to service_role;

-- Who is signed in with Supabase Auth may list their own conversations, and change none.
drop policy if exists "users list their own chats" on public.chats;
create policy "users list their own chats" on public.chats
    for select to authenticated
    using (user_id = (select auth.uid())::text);

-- The REST interface learns of the table at once.
notify pgrst, 'reload schema';
