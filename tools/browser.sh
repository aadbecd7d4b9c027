#!/usr/bin/env bash
# Leaves a Chromium for the console's tests. Uses what is there; installs only what is missing, and only as root on
# Debian or Ubuntu. Elsewhere it says exactly what to do and changes nothing.
set -euo pipefail

say() { printf 'browser: %s\n' "$*" >&2; }

# Ubuntu's package of that name only starts a snap, which a server without snapd cannot run: its version tells.
answers() { chromium --version >/dev/null 2>&1; }

if ! answers; then
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    say "missing: chromium"
    say "install it (Debian: sudo apt-get install chromium), then run tools/browser.sh again"
    exit 5
  fi
  say "installing chromium ..."
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null
  answers || { say "chromium is installed and does not start: try chromium --version"; exit 6; }
fi
say "$(chromium --version | head -1) is there"
