#!/bin/sh
# Print secrets for the profile supabase, new at each run: docker/supabase/secrets.sh >> .env
# The two keys are JSON Web Tokens (RFC 7519, HS256) that name a role of the database and last ten years.
set -eu

base64url() {
    openssl base64 -A | tr '+/' '-_' | tr -d '='
}

token() {
    now=$(date +%s)
    header=$(printf '{"alg":"HS256","typ":"JWT"}' | base64url)
    claims=$(printf '{"role":"%s","iss":"supabase","iat":%d,"exp":%d}' "$1" "$now" "$((now + 315360000))" | base64url)
    signature=$(printf '%s.%s' "$header" "$claims" | openssl dgst -sha256 -hmac "$secret" -binary | base64url)
    printf '%s.%s.%s' "$header" "$claims" "$signature"
}

secret=$(openssl rand -hex 32)
cat << END
SUPABASE_URL=http://supabase:8000
SUPABASE_DB_PASSWORD=$(openssl rand -hex 24)
SUPABASE_JWT_SECRET=$secret
SUPABASE_ANON_KEY=$(token anon)
SUPABASE_SERVICE_ROLE_KEY=$(token service_role)
END
