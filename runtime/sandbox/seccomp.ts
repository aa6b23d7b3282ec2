import type { OciSeccomp, OciSeccompRule } from "./oci-spec.ts";

/**
 * The system calls of a native pod: what is not listed is refused. Made from the kernel's own lists
 * (`arch/x86/entry/syscalls/syscall_64.tbl`, `include/uapi/asm-generic/unistd.h`) by purpose, for programs that serve
 * requests from a read-only root without privileges.
 */

/** Both architectures have these. */
const allowed = {
  files: `
    close close_range chdir fchdir getcwd openat openat2 read write pread64 pwrite64 readv writev preadv pwritev preadv2
    pwritev2 lseek dup dup3 fcntl flock ioctl pipe2 fstat newfstatat statx statfs fstatfs faccessat faccessat2 fchmod
    fchmodat fchmodat2 fchown fchownat umask getdents64 linkat mkdirat mknodat readlinkat renameat renameat2 symlinkat
    unlinkat truncate ftruncate fallocate fadvise64 readahead utimensat fsync fdatasync sync syncfs sync_file_range
    copy_file_range sendfile splice tee vmsplice inotify_init1 inotify_add_watch inotify_rm_watch getxattr lgetxattr
    fgetxattr listxattr llistxattr flistxattr setxattr lsetxattr fsetxattr removexattr lremovexattr fremovexattr
    memfd_create cachestat`,
  memory: `
    brk mmap munmap mprotect mremap msync mincore madvise mlock mlock2 mlockall munlock munlockall membarrier
    pkey_alloc pkey_free pkey_mprotect remap_file_pages get_mempolicy mseal map_shadow_stack`,
  processes: `
    execve execveat exit exit_group wait4 waitid kill tkill tgkill pidfd_open pidfd_send_signal process_mrelease
    getpid getppid gettid getpgid setpgid getsid setsid getuid geteuid getgid getegid getresuid getresgid getgroups
    setuid setgid setreuid setregid setresuid setresgid setfsuid setfsgid setgroups capget capset prctl seccomp
    landlock_create_ruleset landlock_add_rule landlock_restrict_self prlimit64 getrlimit setrlimit getrusage
    getpriority setpriority ioprio_get ioprio_set sysinfo uname times getcpu getrandom set_tid_address
    set_robust_list get_robust_list rseq restart_syscall`,
  scheduling: `
    sched_yield sched_getaffinity sched_setaffinity sched_getparam sched_setparam sched_getscheduler
    sched_setscheduler sched_getattr sched_setattr sched_get_priority_max sched_get_priority_min
    sched_rr_get_interval futex futex_waitv futex_wake futex_wait futex_requeue`,
  signals: `
    rt_sigaction rt_sigprocmask rt_sigpending rt_sigqueueinfo rt_tgsigqueueinfo rt_sigreturn rt_sigsuspend
    rt_sigtimedwait sigaltstack signalfd4`,
  time: `
    clock_gettime clock_getres clock_nanosleep nanosleep gettimeofday getitimer setitimer timer_create timer_delete
    timer_getoverrun timer_gettime timer_settime timerfd_create timerfd_gettime timerfd_settime`,
  network: `
    accept accept4 bind connect getpeername getsockname getsockopt setsockopt listen recvfrom recvmmsg recvmsg sendmmsg
    sendmsg sendto shutdown socketpair`,
  waiting: `
    epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 ppoll pselect6 eventfd2 io_setup io_destroy io_submit io_cancel
    io_getevents io_pgetevents`,
  ipc: `
    mq_open mq_unlink mq_timedsend mq_timedreceive mq_notify mq_getsetattr msgget msgsnd msgrcv msgctl semget semop
    semtimedop semctl shmget shmat shmdt shmctl`,
};

/** Older forms of the above that only x86-64 has. */
const allowedX64 = `
  open creat stat lstat access chmod chown lchown link symlink readlink rename mkdir rmdir unlink mknod utime utimes
  futimesat getdents pipe dup2 poll select epoll_create epoll_wait eventfd signalfd inotify_init fork vfork getpgrp pause
  alarm time arch_prctl`;

/**
 * What is left out, and why; the test holds that nothing is in both lists. The kernel would refuse many of these
 * anyway, for want of a capability: a refusal here keeps their code out of reach when that check is wrong.
 */
export const refusedSyscalls = {
  "names of file systems and mounts: a pod has one, and may not make another":
    "mount umount2 pivot_root chroot move_mount open_tree fsopen fsconfig fsmount fspick mount_setattr swapon swapoff statmount listmount quotactl quotactl_fd",
  "namespaces: a new user namespace gives all capabilities inside it, and so all of the kernel's rarely used code":
    "unshare setns",
  "other processes' memory and files": "ptrace process_vm_readv process_vm_writev process_madvise pidfd_getfd kcmp",
  "large and often broken kernel interfaces that a server does without":
    "bpf perf_event_open userfaultfd io_uring_setup io_uring_enter io_uring_register fanotify_init fanotify_mark keyctl add_key request_key memfd_secret",
  "files by handle: goes around every directory's permissions": "open_by_handle_at name_to_handle_at",
  "the machine itself: kernel code, clock, name, power, accounting":
    "init_module finit_module delete_module kexec_load kexec_file_load reboot settimeofday clock_settime adjtimex clock_adjtime sethostname setdomainname acct syslog iopl ioperm vhangup",
  "placement of memory on nodes of the machine: says and changes things about its neighbours":
    "mbind set_mempolicy set_mempolicy_home_node migrate_pages move_pages",
  "gone, or kept for programs of the last century":
    "uselib ustat sysfs _sysctl nfsservctl lookup_dcookie modify_ldt create_module get_kernel_syms query_module getpmsg putpmsg afs_syscall tuxcall security vserver epoll_ctl_old epoll_wait_old set_thread_area get_thread_area",
} satisfies Readonly<Record<string, string>>;

const words = (text: string): readonly string[] => text.split(/\s+/).filter((word) => word !== "");

/** The names allowed without looking at arguments. */
export function allowedSyscalls(arch: SeccompArch): readonly string[] {
  const common = Object.values(allowed).flatMap(words);
  return arch === "x64" ? [...common, ...words(allowedX64)] : common;
}

export type SeccompArch = "x64" | "arm64";

const EPERM = 1;
const ENOSYS = 38;

/** Address families of socket(2) that a server needs: the machine's packet, VM and crypto sockets are none of them. */
const socketFamilies = { unix: 1, inet: 2, inet6: 10 } as const;
const AF_NETLINK = 16;
const NETLINK_ROUTE = 0;

/**
 * CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET: clone(2) without any of them makes threads and
 * processes and nothing else.
 */
const cloneNamespaceFlags = 0x7e02_0000;

/** PER_LINUX, and the question which one is set: other personalities switch off protections. */
const personalities = [0x0, 0xffff_ffff];

export function seccompProfile(arch: SeccompArch): OciSeccomp {
  const equal = (name: string, value: number): OciSeccompRule => ({
    names: [name],
    action: "SCMP_ACT_ALLOW",
    args: [{ index: 0, value, op: "SCMP_CMP_EQ" }],
  });
  return {
    defaultAction: "SCMP_ACT_ERRNO",
    defaultErrnoRet: EPERM,
    // Only the machine's own: a second calling convention is a second way in, and would double the filter.
    architectures: [arch === "x64" ? "SCMP_ARCH_X86_64" : "SCMP_ARCH_AARCH64"],
    syscalls: [
      { names: allowedSyscalls(arch), action: "SCMP_ACT_ALLOW" },
      ...Object.values(socketFamilies).map((family) => equal("socket", family)),
      {
        names: ["socket"],
        action: "SCMP_ACT_ALLOW",
        // getifaddrs(3) asks this one which addresses there are.
        args: [
          { index: 0, value: AF_NETLINK, op: "SCMP_CMP_EQ" },
          { index: 2, value: NETLINK_ROUTE, op: "SCMP_CMP_EQ" },
        ],
      },
      ...personalities.map((personality) => equal("personality", personality)),
      {
        names: ["clone"],
        action: "SCMP_ACT_ALLOW",
        args: [{ index: 0, value: cloneNamespaceFlags, valueTwo: 0, op: "SCMP_CMP_MASKED_EQ" }],
      },
      // Its flags are behind a pointer, where no filter can look. ENOSYS makes C libraries use clone instead.
      { names: ["clone3"], action: "SCMP_ACT_ERRNO", errnoRet: ENOSYS },
    ],
  };
}
