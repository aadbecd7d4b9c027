/* Makes one system call after another and prints `name errno` for each (0: it succeeded). Calls that may end the
 * process are made in a child: `name signal N` says what ended it. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void say(const char *name, long result) { printf("%s %d\n", name, result < 0 ? errno : 0); }

static void try6(const char *name, long nr, long a, long b, long c, long d, long e, long f) {
  errno = 0;
  say(name, syscall(nr, a, b, c, d, e, f));
}
#define TRY(name, nr, ...) try6(name, nr, ##__VA_ARGS__)

static void child(const char *name, long (*call)(void)) {
  fflush(stdout);
  pid_t pid = fork();
  if (pid < 0) { say(name, -1); return; }
  if (pid == 0) { errno = 0; long r = call(); _exit(r < 0 ? (errno ? errno : (int)-r) : 0); }
  int status;
  waitpid(pid, &status, 0);
  if (WIFSIGNALED(status)) printf("%s signal %d\n", name, WTERMSIG(status));
  else printf("%s %d\n", name, WEXITSTATUS(status));
}

static long newUser(void) {
  long r = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
  if (r == 0) _exit(0);
  return r;
}
static long plainClone(void) {
  long r = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
  if (r == 0) _exit(0);
  return r;
}
static long clone3(void) {
  struct clone_args args;
  memset(&args, 0, sizeof args);
  args.exit_signal = SIGCHLD;
  long r = syscall(SYS_clone3, &args, sizeof args);
  if (r == 0) _exit(0);
  return r;
}
#if defined(__x86_64__)
static long x32(void) { return syscall(0x40000000 | SYS_getpid); }
static long compat(void) {
  long r;
  __asm__ volatile("int $0x80" : "=a"(r) : "a"(20L) : "memory", "r8", "r9", "r10", "r11");
  return r;
}
static long compatSocket(void) { /* socketcall(SYS_SOCKET, {AF_VSOCK...}): its arguments are out of a filter's sight */
  long r;
  __asm__ volatile("int $0x80" : "=a"(r) : "a"(102L), "b"(1L), "c"(0L) : "memory", "r8", "r9", "r10", "r11");
  return r;
}
#endif

int main(void) {
  char name[64];
  static char buffer[4096];
  for (int family = 0; family < 48; family++) {
    errno = 0;
    int fd = socket(family, SOCK_STREAM, 0);
    if (fd < 0 && (errno == ESOCKTNOSUPPORT || errno == EPROTONOSUPPORT)) fd = socket(family, SOCK_RAW, 0);
    sprintf(name, "socket:%d", family);
    say(name, fd);
    if (fd >= 0) close(fd);
  }
  errno = 0;
  say("raw-inet", socket(AF_INET, SOCK_RAW, 1));
  say("raw-inet6", socket(AF_INET6, SOCK_RAW, 58));
  int pair[2];
  say("socketpair-unix", socketpair(AF_UNIX, SOCK_STREAM, 0, pair));

  TRY("io_uring_setup", 425, 8, (long)buffer, 0, 0, 0, 0);
  TRY("io_uring_enter", 426, 0, 0, 0, 0, 0, 0);
  TRY("io_uring_register", 427, 0, 0, 0, 0, 0, 0);
  TRY("bpf", SYS_bpf, 0, (long)buffer, 64, 0, 0, 0);
  TRY("userfaultfd", SYS_userfaultfd, 0, 0, 0, 0, 0, 0);
  TRY("perf_event_open", SYS_perf_event_open, (long)buffer, 0, -1, -1, 0, 0);
  TRY("keyctl", SYS_keyctl, 0, -3, 0, 0, 0, 0);
  TRY("add_key", SYS_add_key, (long)"user", (long)"x", (long)"y", 1, -3, 0);
  TRY("request_key", SYS_request_key, (long)"user", (long)"x", 0, -3, 0, 0);
  long flags[] = {CLONE_NEWUSER, CLONE_NEWNS, CLONE_NEWNET, CLONE_NEWPID, CLONE_NEWIPC, CLONE_NEWUTS, CLONE_NEWCGROUP, 0};
  for (int i = 0; i < 8; i++) { sprintf(name, "unshare:%lx", flags[i]); TRY(name, SYS_unshare, flags[i], 0, 0, 0, 0, 0); }
  TRY("setns", SYS_setns, 0, 0, 0, 0, 0, 0);
  TRY("mount", SYS_mount, (long)"none", (long)"/tmp", (long)"tmpfs", 0, 0, 0);
  TRY("bind", SYS_mount, (long)"/etc", (long)"/tmp", 0, 4096, 0, 0);
  TRY("remount", SYS_mount, 0, (long)"/", 0, 32, 0, 0);
  TRY("umount2", SYS_umount2, (long)"/tmp", 2, 0, 0, 0, 0);
  TRY("pivot_root", SYS_pivot_root, (long)"/tmp", (long)"/tmp", 0, 0, 0, 0);
  TRY("chroot", SYS_chroot, (long)"/tmp", 0, 0, 0, 0, 0);
  TRY("open_tree", 428, -100, (long)"/tmp", 1, 0, 0, 0);
  TRY("move_mount", 429, -100, (long)"/tmp", -100, (long)"/tmp", 0, 0);
  TRY("fsopen", 430, (long)"tmpfs", 0, 0, 0, 0, 0);
  TRY("fsmount", 432, 0, 0, 0, 0, 0, 0);
  TRY("mount_setattr", 442, -100, (long)"/", 0, (long)buffer, 32, 0);
  TRY("ptrace", SYS_ptrace, 16, 1, 0, 0, 0, 0);
  TRY("process_vm_readv", SYS_process_vm_readv, 1, (long)buffer, 0, (long)buffer, 0, 0);
  TRY("process_vm_writev", SYS_process_vm_writev, 1, (long)buffer, 0, (long)buffer, 0, 0);
  TRY("pidfd_getfd", 438, 0, 0, 0, 0, 0, 0);
  TRY("kcmp", SYS_kcmp, 1, 1, 0, 0, 0, 0);
  TRY("personality-no-randomize", SYS_personality, 0x0040000, 0, 0, 0, 0, 0);
  TRY("personality-linux32", SYS_personality, 8, 0, 0, 0, 0, 0);
  TRY("personality-query", SYS_personality, 0xffffffff, 0, 0, 0, 0, 0);
  TRY("open_by_handle_at", SYS_open_by_handle_at, -100, (long)buffer, 0, 0, 0, 0);
  TRY("name_to_handle_at", SYS_name_to_handle_at, -100, (long)"/", (long)buffer, (long)(buffer + 64), 0, 0);
  TRY("kexec_load", SYS_kexec_load, 0, 0, 0, 0, 0, 0);
  TRY("init_module", SYS_init_module, (long)buffer, 1, (long)"", 0, 0, 0);
  TRY("finit_module", SYS_finit_module, 0, (long)"", 0, 0, 0, 0);
  TRY("delete_module", SYS_delete_module, (long)"x", 0, 0, 0, 0, 0);
  TRY("swapon", SYS_swapon, (long)"/tmp", 0, 0, 0, 0, 0);
  TRY("swapoff", SYS_swapoff, (long)"/tmp", 0, 0, 0, 0, 0);
  TRY("settimeofday", SYS_settimeofday, (long)buffer, 0, 0, 0, 0, 0);
  TRY("clock_settime", SYS_clock_settime, 0, (long)buffer, 0, 0, 0, 0);
  TRY("adjtimex", SYS_adjtimex, (long)buffer, 0, 0, 0, 0, 0);
  TRY("reboot", SYS_reboot, 0xfee1dead, 672274793, 0, 0, 0, 0);
  TRY("sethostname", SYS_sethostname, (long)"x", 1, 0, 0, 0, 0);
  TRY("syslog", SYS_syslog, 3, (long)buffer, 100, 0, 0, 0);
  TRY("acct", SYS_acct, 0, 0, 0, 0, 0, 0);
  TRY("quotactl", SYS_quotactl, 0, 0, 0, 0, 0, 0);
  TRY("fanotify_init", SYS_fanotify_init, 0, 0, 0, 0, 0, 0);
  TRY("shmget", SYS_shmget, 1, 4096, 01600, 0, 0, 0);
  TRY("semget", SYS_semget, 1, 1, 01600, 0, 0, 0);
  TRY("msgget", SYS_msgget, 1, 01600, 0, 0, 0, 0);
  TRY("mq_open", SYS_mq_open, (long)"x", 0102, 0600, 0, 0, 0);
  TRY("move_pages", SYS_move_pages, 0, 0, 0, 0, 0, 0);
  TRY("getpid", SYS_getpid, 0, 0, 0, 0, 0, 0);
#if defined(__x86_64__)
  TRY("iopl", SYS_iopl, 3, 0, 0, 0, 0, 0);
  TRY("ioperm", SYS_ioperm, 0, 8, 1, 0, 0, 0);
  TRY("modify_ldt", SYS_modify_ldt, 0, (long)buffer, 16, 0, 0, 0);
#endif
  child("clone-newuser", newUser);
  child("clone", plainClone);
  child("clone3", clone3);
#if defined(__x86_64__)
  child("x32", x32);
  child("int80-getpid", compat);
  child("int80-socketcall", compatSocket);
#endif
  return 0;
}
