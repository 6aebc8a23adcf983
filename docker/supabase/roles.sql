-- The roles that the services log in as are in the image, but have no passwords.
\set password `echo "$POSTGRES_PASSWORD"`
ALTER USER authenticator WITH PASSWORD :'password';
ALTER USER supabase_storage_admin WITH PASSWORD :'password';
