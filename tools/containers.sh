#!/usr/bin/env bash
# Tests of --sandbox docker against a real engine: starts its own dockerd on a private socket, runs them, ends it.
# Says why and ends well where that is not possible. An engine named in DOCKER_HOST is used instead.
set -euo pipefail
cd "$(dirname "$0")/.."
tests=(tests/contracts/test_executors.py tests/sandboxes/test_docker.py tests/sandboxes/test_slots.py)
run() { .venv/bin/python -m pytest -q --live -k docker "${tests[@]}"; }

if [ -n "${DOCKER_HOST:-}" ]; then run; exit; fi
if [ "$(id -u)" != 0 ]; then echo "containers: not tested, only root can start an engine; name one with DOCKER_HOST"; exit 0; fi
if ! command -v dockerd >/dev/null; then
  if ! command -v apt-get >/dev/null; then echo "containers: not tested, there is no dockerd and no apt-get"; exit 0; fi
  log=$(mktemp)
  if ! { apt-get update -qq && apt-get install -y -qq --no-install-recommends docker.io busybox-static; } >"$log" 2>&1; then
    echo "containers: not tested, docker.io cannot be installed: $(tail -n 1 "$log")"; exit 0
  fi
fi
place=$(mktemp -d)
cat >"$place/daemon.json" <<END
{"data-root": "$place/data", "exec-root": "$place/exec", "pidfile": "$place/pid", "hosts": ["unix://$place/docker.sock"],
 "iptables": false, "bridge": "none", "ip-forward": false}
END
dockerd --config-file "$place/daemon.json" >"$place/log" 2>&1 &
daemon=$!
finish() {
  kill "$daemon" 2>/dev/null || true
  wait "$daemon" 2>/dev/null || true
  rm -rf "$place"
}
trap finish EXIT
for _ in $(seq 100); do
  [ -S "$place/docker.sock" ] && break
  kill -0 "$daemon" 2>/dev/null || break
  sleep 0.1
done
if [ ! -S "$place/docker.sock" ]; then echo "containers: not tested, dockerd does not start: $(tail -n 1 "$place/log")"; exit 0; fi
export DOCKER_HOST="unix://$place/docker.sock"
run
