#!/usr/bin/env bash
# Leaves a usable Docker Engine and the host tools Sallyport needs. Uses what is there; installs and starts only what
# is missing, and only as root on Debian or Ubuntu. Elsewhere it says exactly what to do and changes nothing.
set -euo pipefail

say() { printf 'engine: %s\n' "$*" >&2; }

missing=()
need() { command -v "$1" >/dev/null 2>&1 || missing+=("$2"); }
need mmdebstrap mmdebstrap
need git git
need mkfs.ext4 e2fsprogs
need losetup mount
need setpriv util-linux
need accton acct

engine_answers() { docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }

install() {
  [ $# -gt 0 ] || return 0
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    say "missing: $*"
    say "install them (Debian, Ubuntu: sudo apt-get install $*), then run make engine again"
    exit 5
  fi
  say "installing $* ..."
  apt-get update -qq
  # policy-rc.d of minimal systems may forbid starting services: the start is ours, below.
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# dockerd refuses to start while its pid file names any live process, even another program after a reboot.
drop_stale_pid() {
  local file=$1 name=$2 pid
  [ -f "$file" ] || return 0
  pid=$(cat "$file")
  [ "$(cat "/proc/$pid/comm" 2>/dev/null || true)" = "$name" ] || rm -f "$file"
}

start_engine() {
  if [ "$(id -u)" != 0 ]; then
    say "the Docker Engine does not answer; start it (sudo systemctl start docker) or give this user access to its socket"
    exit 5
  fi
  if [ -d /run/systemd/system ]; then
    say "starting docker.service ..."
    systemctl start docker
  else
    say "starting dockerd (no systemd here) ..."
    drop_stale_pid /var/run/docker.pid dockerd
    drop_stale_pid /var/run/docker/containerd/containerd.pid containerd
    mkdir -p /var/log
    setsid nohup dockerd >/var/log/sallyport-dockerd.log 2>&1 </dev/null &
  fi
  for _ in $(seq 1 120); do
    if engine_answers; then return 0; fi
    sleep 0.5
  done
  say "the engine did not come up within 60 s; see journalctl -u docker or /var/log/sallyport-dockerd.log"
  exit 6
}

if ! engine_answers; then
  command -v dockerd >/dev/null 2>&1 || missing+=(docker.io iptables)
  command -v docker >/dev/null 2>&1 || missing+=(docker.io)
fi
install "${missing[@]}"
engine_answers || start_engine
say "Docker Engine $(docker version --format '{{.Server.Version}}') answers"
