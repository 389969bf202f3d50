#!/bin/bash
# Brings docker-compose.yml up once, from nothing, on a Debian machine that has no image registry: three brokers, three
# workers, generated files; kills a worker's container half-way; counts; and takes everything down again.
#
#   dev/compose/trial.sh                 all of it
#   dev/compose/trial.sh up|ingest|down  a step of it; `down` deletes everything that the others made
#   FILES=200 ROWS=20000                 how much is ingested
#
# Needs root, and apt-get install -y --no-install-recommends docker.io docker-compose debootstrap iptables; Maven and npm.
# A Docker daemon of its own is used, with a socket and data of its own, so nothing else on the machine is touched. The
# images are stand-ins (stand-ins/build.sh): what is tried is the wiring, and our own image.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
work=${TRIAL_DIR:-/tmp/cdr-compose-trial}
files=${FILES:-200}
rows=${ROWS:-20000}
workers=3
daemon=${DOCKERD:-/usr/sbin/dockerd}
export DOCKER_HOST=unix://$work/docker.sock DOCKER_BUILDKIT=0 COMPOSE_DOCKER_CLI_BUILD=0
export COMPOSE_PROJECT_NAME=cdrtrial COMPOSE_FILE=$root/docker-compose.yml:$here/docker-compose.trial.yml
export CDR_NETWORK=cdrtrial JOB_LOCK_MS=15000 GENERATE_FILES=$files GENERATE_ROWS=$rows

say() { printf '%s  %s\n' "$(date +%H:%M:%S)" "$*"; }
cdr() { docker-compose run --rm --no-deps -T cli "$@" 2>/dev/null; }

start_daemon() {
  docker info >/dev/null 2>&1 && return
  mkdir -p "$work"
  # the daemon leaves its bridge and its rules behind
  iptables-save >"$work/iptables.before"
  ip link show docker0 >/dev/null 2>&1 && touch "$work/docker0.before"
  setsid "$daemon" --data-root "$work/data" --exec-root "$work/exec" --pidfile "$work/docker.pid" -H "$DOCKER_HOST" \
    --log-level warn >"$work/dockerd.log" 2>&1 </dev/null &
  for _ in $(seq 150); do
    docker info >/dev/null 2>&1 && return
    sleep 0.2
  done
  tail "$work/dockerd.log" >&2
  return 1
}

stop_daemon() {
  [ -e "$work/docker.pid" ] || return 0
  local pid
  pid=$(cat "$work/docker.pid")
  kill "$pid" 2>/dev/null || return 0
  while kill -0 "$pid" 2>/dev/null; do sleep 0.2; done
}

up() {
  say "starting a Docker daemon in $work"
  start_daemon
  say 'building stand-ins'
  "$here/stand-ins/build.sh" "$work/stand-ins"
  say 'building our image'
  docker-compose build scanner | grep -E '^(Successfully tagged|ERROR)' || true
  docker image ls --format '  {{.Repository}}:{{.Tag}}  {{.Size}}' cdr-ingester
  say "docker-compose up -d --scale worker=$workers"
  docker-compose up -d --scale "worker=$workers"
  docker-compose up -d --scale "worker=$workers" prometheus
  until_healthy
  docker-compose ps
}

until_healthy() {
  local id health unhealthy deadline=$((SECONDS + 180))
  while true; do
    unhealthy=''
    for id in $(docker-compose ps -q); do
      health=$(docker inspect -f '{{if .State.Health}}{{.State.Health.Status}}{{else}}none {{.State.ExitCode}}{{end}}' "$id")
      case $health in healthy | 'none 0') ;; *) unhealthy+=" $(docker inspect -f '{{.Name}}' "$id")=$health" ;; esac
    done
    [ -z "$unhealthy" ] && { say 'all healthy'; return; }
    [ "$SECONDS" -gt "$deadline" ] && { say "not healthy:$unhealthy"; return 1; }
    sleep 2
  done
}

# a number out of what /metrics of a service's containers say, added up
metric() {
  local sum=0 id value
  for id in $(docker-compose ps -q "$1"); do
    value=$(docker exec "$id" node -e "
      fetch('http://127.0.0.1:9464/metrics').then((r) => r.text()).then((text) => {
        const lines = text.split('\n').filter((line) => line.startsWith('$2'));
        console.log(lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0));
      }, () => console.log(0))" 2>/dev/null || echo 0)
    sum=$((sum + ${value%.*}))
  done
  echo "$sum"
}

ingest() {
  local victim='' started done_files seen deadline=$((SECONDS + 1800))
  say "generating $files files of $rows rows"
  docker-compose run --rm --no-deps -T generator 2>/dev/null
  started=$SECONDS
  say 'ingesting'
  while true; do
    done_files=$(metric scanner 'cdr_scanner_files{state="ingested"')
    if [ -z "$victim" ] && [ "$done_files" -ge $((files / 5)) ]; then
      victim=$(docker-compose ps -q worker | head -n 1)
      seen=$(docker exec "$victim" node -e "
        fetch('http://127.0.0.1:9464/metrics').then((r) => r.text()).then((text) => {
          console.log(/^cdr_worker_busy_slots.* (\\d+)\$/m.exec(text)[1]); })")
      docker kill --signal KILL "$victim" >/dev/null
      say "$done_files files ingested; killed $(docker inspect -f '{{.Name}}' "$victim") by SIGKILL with $seen files in its hands"
      sleep 2
      say 'starting it again, as an operator would'
      docker start "$victim" >/dev/null
    fi
    [ "$done_files" -ge "$files" ] && break
    [ "$SECONDS" -gt "$deadline" ] && { say "only $done_files files after half an hour"; return 1; }
    sleep 1
  done
  say "$done_files of $files files ingested, $((SECONDS - started)) s after the last upload"
  until_healthy
  docker-compose ps
  say 'what the ledger and the topics say'
  cdr status
  cdr audit
  say 'files by attempt, as the ledger has it'
  docker-compose exec -T redis redis-cli --raw hvals "${REDIS_PREFIX:-cdr}:ledger" | grep -o '"attempt":[0-9]*' | sort | uniq -c
  say 'what Prometheus knows: targets that are up, by job; alarms'
  docker-compose exec -T prometheus wget -q -O - 'http://127.0.0.1:9090/api/v1/query?query=sum(up)by(job)' && echo
  docker-compose exec -T prometheus wget -q -O - 'http://127.0.0.1:9090/api/v1/alerts' && echo
}

down() {
  if docker info >/dev/null 2>&1; then
    docker-compose --profile cli --profile generator down --volumes --remove-orphans --timeout 40 >/dev/null 2>&1 || true
    stop_daemon
  fi
  if [ -e "$work/iptables.before" ]; then
    iptables-restore <"$work/iptables.before"
    [ -e "$work/docker0.before" ] || ip link delete docker0 2>/dev/null || true
  fi
  # mounts of the daemon's that are left keep the folder from being deleted
  { grep -o " $work/[^ ]*" /proc/mounts || true; } | sort -r | while read -r mount; do umount "$mount" || true; done
  rm -rf "$work"
  say 'everything is gone'
}

case ${1:-all} in
  up) up ;;
  ingest) ingest ;;
  down) down ;;
  all)
    trap down EXIT
    up
    ingest
    ;;
  *)
    sed -n '2,/^set -e/p' "$0" | sed -e '/^set/d' -e 's/^# \{0,1\}//' >&2
    exit 2
    ;;
esac
