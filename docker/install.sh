#!/bin/sh
# Install packages of this checkout into an environment of their own, all else at its locked version:
#   docker/install.sh FOLDER PACKAGE...      such as: docker/install.sh /opt/idolchat 'cli[serve]' storage-local
set -eu
target=$(realpath -m -- "$1")
shift
cd "$(dirname "$0")/.."

wheels=$(mktemp -d)
trap 'rm -rf "$wheels"' EXIT
for package in packages/*/; do
    uv build --quiet --wheel --out-dir "$wheels" "$package"
done

count=$#
while [ "$count" -gt 0 ]; do
    set -- "$@" "idolchat-$1"
    shift
    count=$((count - 1))
done
# An image is used as it is built: with the Python that is there, and with nothing left to compile at a start.
uv venv --quiet --no-python-downloads --python "${PYTHON:-python3}" "$target"
uv pip install --quiet --python "$target" --no-sources --find-links "$wheels" --constraints requirements.lock \
    --compile-bytecode "$@"
