#!/usr/bin/env bash
# Starts the CDR ingester with everything it needs and shows what it does. Run it again at any time: what runs already is
# left running, and no file is ingested twice.
set -euo pipefail

usage() {
  cat <<'TEXT'
Starts the CDR ingester with everything it needs, and shows what it does.

  ./run_ingester.sh [options]

  --workers N       worker containers (2)
  --follow SECONDS  how long to show the live logs (60); 0: not at all. Ctrl-C ends it earlier; the services go on.
  --generate N      first put N generated files of 1000 rows onto the SFTP server
  --audit           at the end, count again: rows on the server, entries of the ledger, messages in the topics
  --timeout SECONDS how long the services may take to become healthy (300)
  --no-build        use the image that is there
  --help

What it does:
  1. checks Docker and Compose (`docker compose`, or `docker-compose` 1.29)
  2. starts SFTP server, Redis and Redpanda, and waits until they are healthy
  3. creates the topics that are missing
  4. starts scanner, workers and dashboard (http://localhost:3000)
  5. shows live logs
  6. shows what was ingested: files, messages and rejects by feed, the queue, failed jobs

Exit codes:
  0  everything runs
  1  something did not become healthy, or failed
  2  wrong usage
  3  Docker or Compose is missing, or the Docker daemon does not answer
TEXT
}

workers=2
follow=60
generate=0
audit=no
timeout=300
build=yes

fail() { # CODE MESSAGE...
  local code=$1
  shift
  printf 'run_ingester.sh: %s\n' "$@" >&2
  exit "$code"
}

need_number() { # OPTION VALUE
  [[ ${2-} =~ ^[0-9]{1,6}$ ]] || fail 2 "$1 takes a number. See --help."
}

while [ $# -gt 0 ]; do
  case $1 in
    --workers | --follow | --generate | --timeout)
      need_number "$1" "${2-}"
      printf -v "${1#--}" '%d' "$((10#$2))"
      shift 2
      ;;
    --audit | --no-build)
      case $1 in --audit) audit=yes ;; --no-build) build=no ;; esac
      shift
      ;;
    -h | --help)
      usage
      exit 0
      ;;
    *) fail 2 "there is no option $1. See --help." ;;
  esac
done
[ "$workers" -gt 0 ] || fail 2 'at least one worker, please.'

cd "$(dirname "$0")"

step() { printf '\n== %s\n' "$*"; }

step 'Docker and Compose'
command -v docker >/dev/null || fail 3 'Docker is not installed: https://docs.docker.com/engine/install/'
docker info >/dev/null 2>&1 || fail 3 'the Docker daemon does not answer. Start it, or see whether you may use it: docker info'
if docker compose version >/dev/null 2>&1; then
  compose=(docker compose)
elif command -v docker-compose >/dev/null; then
  compose=(docker-compose)
else
  fail 3 'Compose is not installed: https://docs.docker.com/compose/install/'
fi
"${compose[@]}" config -q || fail 1 'docker-compose.yml cannot be used as it is, see above.'
printf 'docker %s, %s\n' "$(docker version --format '{{.Server.Version}}')" "${compose[*]}"

# What a container's state is: healthy, done (a one-shot that ended well), or what is wrong with it.
state_of() {
  docker inspect -f '{{if .State.Health}}{{.State.Health.Status}}{{else}}{{.State.Status}} {{.State.ExitCode}}{{end}}' "$1" |
    sed -e 's/^exited 0$/done/' -e 's/^running 0$/running/'
}

# Waits until every container of these services is healthy.
until_healthy() {
  local deadline=$((SECONDS + timeout)) open service id ids state
  while true; do
    open=''
    for service in "$@"; do
      ids=$("${compose[@]}" ps -q "$service" 2>/dev/null || true)
      [ -n "$ids" ] || open+=" $service: not there;"
      for id in $ids; do
        state=$(state_of "$id" 2>/dev/null || echo gone)
        case $state in healthy | done) ;; *) open+=" $service: $state;" ;; esac
      done
    done
    if [ -z "$open" ]; then
      printf 'healthy: %s\n' "$*"
      return
    fi
    [ "$SECONDS" -lt "$deadline" ] ||
      fail 1 "not healthy after $timeout s:$open" "look at: ${compose[*]} logs --tail 50 ${open%%:*}"
    sleep 2
  done
}

if [ "$build" = yes ]; then
  step 'Image'
  "${compose[@]}" build --quiet scanner || fail 1 'the image could not be built, see above.'
fi

step 'SFTP server, Redis and Redpanda'
servers=(sftp redis redpanda-0 redpanda-1 redpanda-2)
"${compose[@]}" up -d "${servers[@]}" console || fail 1 'the servers could not be started, see above.'
until_healthy "${servers[@]}"

step 'Topics'
"${compose[@]}" run --rm --no-deps -T cli topics || fail 1 'the topics could not be created, see above.'

if [ "$generate" -gt 0 ]; then
  step "$generate generated files"
  "${compose[@]}" run --rm --no-deps -T cli generate --files "$generate" || fail 1 'nothing was generated, see above.'
fi

step 'Scanner, workers and dashboard'
"${compose[@]}" up -d --scale "worker=$workers" scanner worker dashboard || fail 1 'they could not be started, see above.'
until_healthy scanner worker dashboard

if [ "$follow" -gt 0 ]; then
  step "Live logs for $follow s (Ctrl-C: go on)"
  "${compose[@]}" logs -f --tail 20 scanner worker &
  logs=$!
  trap 'kill "$logs" 2>/dev/null || true' INT EXIT
  for ((i = 0; i < follow; i++)); do
    kill -0 "$logs" 2>/dev/null || break
    sleep 1 || break
  done
  kill "$logs" 2>/dev/null || true
  wait "$logs" 2>/dev/null || true
  trap - INT EXIT
fi

step 'What was ingested'
"${compose[@]}" run --rm --no-deps -T cli status || fail 1 'the state could not be read, see above.'
if [ "$audit" = yes ]; then
  step 'Counted again'
  "${compose[@]}" run --rm --no-deps -T cli audit || fail 1 'the audit found differences, or could not be made, see above.'
fi

cat <<TEXT

Everything runs.
  live logs      ${compose[*]} logs -f scanner worker
  what is known  ${compose[*]} run --rm cli status      (also: files, show FILE, rejects, audit; --help)
  dashboard      http://localhost:3000, user operator; password: ${compose[*]} logs dashboard | grep DASHBOARD_PASSWORD
  topics         http://localhost:18084
  stop           ${compose[*]} stop
TEXT
