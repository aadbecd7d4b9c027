#!/usr/bin/env bash
# Leaves the programs that only tests ask for: a terminal, a socket's other end, readers of the files that are installed.
# Uses what is there; installs only what is missing, and only as root on Debian or Ubuntu.
set -euo pipefail

say() { printf 'test-tools: %s\n' "$*" >&2; }

missing=()
need() { command -v "$1" >/dev/null 2>&1 || missing+=("$2"); }
need tmux tmux
need socat socat
need groff groff-base
need man man-db
need logrotate logrotate
need systemd-analyze systemd
need systemd-socket-activate systemd
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
  say "missing: ${missing[*]}"
  say "install them (Debian, Ubuntu: sudo apt-get install ${missing[*]}), then run make test again"
  exit 5
fi
say "installing ${missing[*]} ..."
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
