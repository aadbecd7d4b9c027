#!/bin/sh
# Runs on the host, as the last hook of the bootstrap, with the new root directory as its argument: what must not be
# in any image leaves here, before the first layer is made, so that no layer below holds it either.
set -eu
root=$1

# A fixed uid far from the host's users, with a passwd line: os.userInfo() and git fail without one.
echo 'sandbox:x:10001:10001:sandbox:/home/sandbox:/bin/sh' >>"$root/etc/passwd"
echo 'sandbox:x:10001:' >>"$root/etc/group"
echo 'sandbox:*:1:0:99999:7:::' >>"$root/etc/shadow"
install -d -m 0755 -o 10001 -g 10001 "$root/home/sandbox"

# The mount points: the root file system is read-only when a sandbox starts.
for point in brief case run/sallyport workspace worktree; do install -d -m 0755 "$root/$point"; done
ln -sf fdfind "$root/usr/bin/fd"

# The host's sources, proxies and their credentials stay on the host.
rm -rf "$root/etc/apt" "$root/var/lib/apt" "$root/var/cache/apt" "$root/var/log/apt"
find "$root/var/cache" "$root/var/log" -type f -delete
rm -f "$root"/var/cache/debconf/* "$root"/var/lib/dpkg/*-old "$root"/etc/*- "$root/etc/resolv.conf" "$root/etc/hostname"
: >"$root/etc/machine-id"

# No way up: setuid and setgid bits, file capabilities, and what anyone may write.
find "$root" -xdev -perm /6000 ! -type l -exec chmod ug-s {} +
find "$root" -xdev -type f -perm -0002 -exec chmod o-w {} +
find "$root" -xdev -type d -perm -0002 ! -perm -1000 -exec chmod o-w {} +
if command -v getcap >/dev/null; then
  getcap -r "$root" 2>/dev/null | while read -r file _; do setcap -r "$file"; done
fi
