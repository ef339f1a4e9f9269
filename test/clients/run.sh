#!/usr/bin/env bash
# Runs the client libraries of other people against a server: run.sh [RESP_PORT HTTP_PORT].
# Without ports a server is built and started on an empty directory.
#
# Each folder here is a protocol. Its requirements.txt and package.json name the exact versions,
# which are installed in a temporary directory; every *.py and *.mjs in it is called with the
# protocol's port and fails by its exit status. What cannot be installed is "not run" and fails
# nothing.
set -uo pipefail
cd "$(dirname "$0")"
here=$PWD

tmp=$(mktemp -d)
server=
cleanup() {
  if [ -n "$server" ]; then
    kill -TERM "$server" 2>/dev/null
    wait "$server" 2>/dev/null
  fi
  rm -rf "$tmp"
}
trap cleanup EXIT

listening() { sed -n "s/.*msg=listening protocol=$1 addr=[^ ]*:\([0-9]*\).*/\1/p" "$tmp/log" | head -n 1; }

start() {
  (cd ../.. && CGO_ENABLED=0 go build -o "$tmp/isobath" ./cmd/isobath) || exit 1
  "$tmp/isobath" serve --data-dir "$tmp/data" --http-addr 127.0.0.1:0 --resp-addr 127.0.0.1:0 >"$tmp/log" 2>&1 &
  server=$!
  for _ in $(seq 100); do
    resp=$(listening resp) http=$(listening http)
    [ -n "$resp" ] && [ -n "$http" ] && return
    kill -0 "$server" 2>/dev/null || break
    sleep 0.1
  done
  echo 'the server did not start:'
  cat "$tmp/log"
  exit 1
}

failed=0
outcome() { # name status
  if [ "$2" = 0 ]; then
    echo "passed: $1"
  else
    echo "FAILED: $1 (exit status $2)"
    failed=1
  fi
}

# bounded runs a command for at most that many seconds, where the system has timeout.
bounded() {
  local seconds=$1
  shift
  if command -v timeout >/dev/null; then timeout "$seconds" "$@"; else "$@"; fi
}

python_scripts() { # folder port
  local scripts=("$1"/*.py)
  [ -e "${scripts[0]}" ] || return
  local env=$tmp/python-$1
  if ! command -v python3 >/dev/null; then
    echo "not run: $1/*.py (python3 is not here)"
  elif ! python3 -m venv "$env" >"$tmp/install" 2>&1 ||
    ! bounded 300 "$env/bin/pip" install --quiet --disable-pip-version-check --retries 1 -r "$1/requirements.txt" >"$tmp/install" 2>&1; then
    echo "not run: $1/*.py (packages cannot be installed: $(tail -n 1 "$tmp/install"))"
  else
    for script in "${scripts[@]}"; do
      bounded 300 "$env/bin/python" "$script" "$2"
      outcome "$script" $?
    done
  fi
}

node_scripts() { # folder port
  local scripts=("$1"/*.mjs)
  [ -e "${scripts[0]}" ] || return
  local env=$tmp/node-$1
  mkdir "$env" && cp "$1/package.json" "${scripts[@]}" "$env"
  if ! command -v npm >/dev/null; then
    echo "not run: $1/*.mjs (npm is not here)"
  elif ! (cd "$env" && bounded 300 npm install --loglevel error --no-audit --no-fund --fetch-retries 1 >"$tmp/install" 2>&1); then
    echo "not run: $1/*.mjs (packages cannot be installed: $(head -n 1 "$tmp/install"))"
  else
    for script in "${scripts[@]}"; do
      (cd "$env" && bounded 300 node "$(basename "$script")" "$2")
      outcome "$script" $?
    done
  fi
}

case $# in
  0) start ;;
  2) resp=$1 http=$2 ;;
  *)
    echo "usage: $here/run.sh [RESP_PORT HTTP_PORT]" >&2
    exit 2
    ;;
esac
for protocol in resp http; do
  [ -d "$protocol" ] || continue
  python_scripts "$protocol" "${!protocol}"
  node_scripts "$protocol" "${!protocol}"
done
exit $failed
