/**
 * The system calls a sandbox may make: an allow-list for the native architecture only. A filter that also lists the
 * 32-bit architecture lets `socketcall` pass arguments it cannot see; without it, such calls are killed by the kernel.
 * What is absent is denied with EPERM: mount and namespace calls, bpf, perf, userfaultfd, io_uring, keyrings, ptrace,
 * process_vm_*, kexec, modules, time setting, System V IPC, aio, message queues.
 */

const files =
  "access chdir chmod chown close close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2 fadvise64 fallocate fchdir fchmod fchmodat fchmodat2 fchown fchownat fcntl fdatasync fgetxattr flistxattr flock fremovexattr fsetxattr fstat fstatfs fsync ftruncate futimesat getcwd getdents getdents64 getxattr inotify_add_watch inotify_init inotify_init1 inotify_rm_watch ioctl lchown lgetxattr link linkat listxattr llistxattr lremovexattr lseek lsetxattr lstat mkdir mkdirat mknod mknodat newfstatat open openat openat2 pread64 preadv preadv2 pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv removexattr rename renameat renameat2 rmdir sendfile setxattr splice stat statfs statx symlink symlinkat sync sync_file_range syncfs tee truncate umask unlink unlinkat utime utimensat utimes write writev";
const processes =
  "arch_prctl capget capset execve execveat exit exit_group fork getcpu getegid geteuid getgid getgroups getpgid getpgrp getpid getppid getpriority getresgid getresuid getrlimit getrusage getsid gettid getuid get_robust_list get_thread_area ioprio_get ioprio_set kill landlock_add_rule landlock_create_ruleset landlock_restrict_self membarrier pidfd_open pidfd_send_signal prctl prlimit64 rseq sched_getaffinity sched_getattr sched_getparam sched_get_priority_max sched_get_priority_min sched_getscheduler sched_rr_get_interval sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield seccomp setfsgid setfsuid setgid setgroups setpgid setpriority setregid setresgid setresuid setreuid setrlimit setsid set_robust_list set_thread_area set_tid_address setuid sysinfo tgkill times tkill uname vfork wait4 waitid";
const memory =
  "brk madvise memfd_create mincore mlock mlock2 mlockall mmap mprotect mremap msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect get_mempolicy mbind set_mempolicy";
const events =
  "alarm clock_getres clock_gettime clock_nanosleep epoll_create epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 epoll_wait eventfd eventfd2 futex futex_waitv futex_wake futex_wait futex_requeue getitimer gettimeofday nanosleep pause pipe pipe2 poll ppoll pselect6 restart_syscall rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_tgsigqueueinfo select setitimer sigaltstack signalfd signalfd4 time timer_create timer_delete timer_getoverrun timer_gettime timer_settime timerfd_create timerfd_gettime timerfd_settime";
const sockets =
  "accept accept4 bind connect getpeername getrandom getsockname getsockopt listen recvfrom recvmmsg recvmsg sendmmsg sendmsg sendto setsockopt shutdown socketpair";

/** Socket families a sandbox may open: Unix, IPv4, IPv6 (loopback is all there is), netlink (to list interfaces). */
export const socketFamilies = { AF_UNIX: 1, AF_INET: 2, AF_INET6: 10, AF_NETLINK: 16 } as const;

// CLONE_NEWNS | NEWCGROUP | NEWUTS | NEWIPC | NEWUSER | NEWPID | NEWNET: no nested namespace of any kind.
const namespaceFlags = 0x7e020000;
const ENOSYS = 38;

const nativeArchitecture: Record<string, string> = { x64: "SCMP_ARCH_X86_64", arm64: "SCMP_ARCH_AARCH64" };

interface Rule {
  names: string[];
  action: "SCMP_ACT_ALLOW" | "SCMP_ACT_ERRNO";
  errnoRet?: number;
  args?: { index: number; value: number; valueTwo?: number; op: string }[];
}

/** The profile in the engine's JSON form, for the architecture Node runs on. */
export function seccompProfile(
  architecture: string = process.arch,
): { architectures: string[]; syscalls: Rule[] } & object {
  const native = nativeArchitecture[architecture];
  if (!native) throw new RangeError(`no seccomp profile for ${architecture}`);
  const allowed = [files, processes, memory, events, sockets].join(" ").split(" ");
  const equals = (index: number, value: number) => ({ index, value, op: "SCMP_CMP_EQ" });
  return {
    defaultAction: "SCMP_ACT_ERRNO",
    defaultErrnoRet: 1,
    architectures: [native],
    syscalls: [
      { names: allowed, action: "SCMP_ACT_ALLOW" },
      ...Object.values(socketFamilies).map(
        (family): Rule => ({ names: ["socket"], action: "SCMP_ACT_ALLOW", args: [equals(0, family)] }),
      ),
      {
        names: ["clone"],
        action: "SCMP_ACT_ALLOW",
        args: [{ index: 0, value: namespaceFlags, valueTwo: 0, op: "SCMP_CMP_MASKED_EQ" }],
      },
      // A filter cannot look into clone3's argument block: ENOSYS makes libc fall back to clone.
      { names: ["clone3"], action: "SCMP_ACT_ERRNO", errnoRet: ENOSYS },
      { names: ["personality"], action: "SCMP_ACT_ALLOW", args: [equals(0, 0)] },
      { names: ["personality"], action: "SCMP_ACT_ALLOW", args: [equals(0, 0xffffffff)] },
    ],
  } as { architectures: string[]; syscalls: Rule[] };
}
