"""The kernel's helper functions as C declarations: a table in, the text that generated programs are compiled with out.

bcc brings declarations of its own, in headers of 330 kB that clang reads three times (some 19 ms of 37 for a small
program). GUARDS keeps clang out of them, so that what generated code calls has to be declared here.

The numbers are the kernel's (`enum bpf_func_id` of uapi/linux/bpf.h): part of its ABI, the same everywhere.
"""

GUARDS = (b"-D__BPF_HELPERS_H", b"-D_UAPI__LINUX_BPF_H__")
"""The include guards of bcc's helpers.h and bpf.h, as flags."""

_DECLARATIONS = (
    # number, result, name, arguments
    (1, "void *", "map_lookup_elem", "void *map, void *key"),
    (2, "int", "map_update_elem", "void *map, void *key, void *value, u64 flags"),
    (3, "int", "map_delete_elem", "void *map, void *key"),
    (5, "u64", "ktime_get_ns", "void"),
    (7, "u32", "get_prandom_u32", "void"),
    (8, "u64", "get_smp_processor_id", "void"),
    (14, "u64", "get_current_pid_tgid", "void"),
    (15, "u64", "get_current_uid_gid", "void"),
    (16, "int", "get_current_comm", "void *to, int size"),
    (35, "u64", "get_current_task", "void"),
    (36, "int", "probe_write_user", "void *to, void *from, u32 size"),
    (37, "int", "current_task_under_cgroup", "void *map, int index"),
    (42, "int", "get_numa_node_id", "void"),
    (58, "int", "override_return", "void *registers, unsigned long value"),
    (67, "int", "get_stack", "void *ctx, void *to, u32 size, u64 flags"),
    (80, "u64", "get_current_cgroup_id", "void"),
    (109, "int", "send_signal", "unsigned int signal"),
    (112, "int", "probe_read_user", "void *to, u32 size, const void *from"),
    (113, "int", "probe_read_kernel", "void *to, u32 size, const void *from"),
    (114, "int", "probe_read_user_str", "void *to, u32 size, const void *from"),
    (115, "int", "probe_read_kernel_str", "void *to, u32 size, const void *from"),
    (117, "int", "send_signal_thread", "unsigned int signal"),
    (118, "u64", "jiffies64", "void"),
    (120, "int", "get_ns_current_pid_tgid", "u64 device, u64 inode, void *to, u32 size"),
    (123, "u64", "get_current_ancestor_cgroup_id", "int level"),
    (125, "u64", "ktime_get_boot_ns", "void"),
    (130, "int", "ringbuf_output", "void *ring, void *from, u64 size, u64 flags"),
    (131, "void *", "ringbuf_reserve", "void *ring, u64 size, u64 flags"),
    (132, "void", "ringbuf_submit", "void *record, u64 flags"),
    (133, "void", "ringbuf_discard", "void *record, u64 flags"),
    (147, "long", "d_path", "void *path, char *to, u32 size"),
    (158, "void *", "get_current_task_btf", "void"),
    (164, "long", "for_each_map_elem", "void *map, void *callback, void *context, u64 flags"),
    (173, "u64", "get_func_ip", "void *ctx"),
    (174, "u64", "get_attach_cookie", "void *ctx"),
    (175, "void *", "task_pt_regs", "void *task"),
    (181, "long", "loop", "u32 turns, void *callback, void *context, u64 flags"),
    (195, "void *", "map_lookup_percpu_elem", "void *map, const void *key, u32 cpu"),
    (208, "u64", "ktime_get_tai_ns", "void"),
    (209, "long", "user_ringbuf_drain", "void *map, void *callback, void *context, u64 flags"),
)

HELPER_NAMES = frozenset(f"bpf_{name}" for _, _, name, _ in _DECLARATIONS)


def declarations() -> str:
    """One C declaration a line; also of what bcc's own code around the program asks for."""
    lines = [
        f"static {result} (*bpf_{name})({arguments}) = (void *){number};"
        for number, result, name, arguments in _DECLARATIONS
    ]
    # An LLVM intrinsic: LD_IMM64 with a pseudo source register, see tracelang.plan.
    lines.append('u64 bpf_pseudo_fd(u64 kind, u64 number) asm("llvm.bpf.pseudo");')
    lines.append("#define BCC_SEC(NAME) __attribute__((section(NAME), used))")
    return "\n".join(lines) + "\n"
