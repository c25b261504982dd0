/* Made by tracejob from a tracing program. Maps are bpf_pseudo_fd(1, n): the loader puts their descriptors there. */

#define MAP_seen ((void *)bpf_pseudo_fd(1, 0)) /* @seen */
#define TJ_EVENTS ((void *)bpf_pseudo_fd(1, 1)) /* tj_events */
#define TJ_COUNTERS ((void *)bpf_pseudo_fd(1, 2)) /* tj_counters */
#define TJ_SCOPE_CGROUPS ((void *)bpf_pseudo_fd(1, 3)) /* tj_scope_cgroup */
#define TJ_SCOPE_KNOWN ((void *)bpf_pseudo_fd(1, 4)) /* tj_scope_known */
#define TJ_CONSTANTS ((void *)bpf_pseudo_fd(1, 5)) /* tj_constants */
#define TJ_SCRATCH ((void *)bpf_pseudo_fd(1, 6)) /* tj_scratch */
#define HITS 0ULL
#define RING_FULL 1ULL
#define MAP_FULL 2ULL
#define RATE_LIMITED 3ULL
#define STACK_LOST 4ULL
#define OUTSIDE 5ULL
#define SCOPE_FIRST_SLOTS 2ULL
#define SCOPE_SLOTS 4ULL
#define SCOPE_GENERATION 3ULL
#define SCOPE_KNOWN_ENTRIES 1024ULL

struct event_0 {
  u64 id;
  u32 a0;
  u8 a1[16];
  u8 a2[1024];
  u8 pad[4];
} __attribute__((packed, aligned(8)));

/* One more of it: exact also where another task may take over this CPU in between, as in user functions. */
static __always_inline void count(u32 program, u32 what)
{
  u64 *counters = bpf_map_lookup_elem(TJ_COUNTERS, &program);
  if (counters)
    __sync_fetch_and_add(&counters[what], 1);
}

/*
 * Whether the current task is below one of the target's cgroups; an empty slot (an error) ends the list. What is found
 * beyond the first slots is kept by the task's own cgroup until the targets change, in one word, so that it can't be
 * read half written: the cgroup's id, the generation of targets, the answer.
 */
static __always_inline u8 in_scope_cgroups(void)
{
  for (u32 slot = 0; slot < SCOPE_FIRST_SLOTS; slot++) {
    long under = bpf_current_task_under_cgroup(TJ_SCOPE_CGROUPS, slot);
    if (under)
      return under == 1;
  }
  u64 cgroup = bpf_get_current_cgroup_id();
  u32 key = SCOPE_GENERATION;
  u64 *generation = bpf_map_lookup_elem(TJ_CONSTANTS, &key);
  key = cgroup & (SCOPE_KNOWN_ENTRIES - 1);
  u64 *known = bpf_map_lookup_elem(TJ_SCOPE_KNOWN, &key);
  if (!generation || !known)
    return 0;
  u64 answer = cgroup << 17 | (*generation & 0xffff) << 1;
  u64 found = *known;
  if ((found | 1) == (answer | 1))
    return found & 1;
  for (u32 slot = SCOPE_FIRST_SLOTS; slot < SCOPE_SLOTS; slot++) {
    long under = bpf_current_task_under_cgroup(TJ_SCOPE_CGROUPS, slot);
    if (under == 1)
      answer |= 1;
    if (under)
      break;
  }
  *known = answer;
  return answer & 1;
}

/* One more run of a program that has this CPU for itself: a plain addition does. */
static __always_inline void count_hit(u32 program)
{
  u64 *counters = bpf_map_lookup_elem(TJ_COUNTERS, &program);
  if (counters)
    counters[HITS] += 1;
}

struct tj_probe_0_scratch {
  u8 v0_name[1024] __attribute__((aligned(8)));
  u8 temporary[1032] __attribute__((aligned(8)));
};


/* tracepoint:syscalls:sys_enter_openat */
__attribute__((section(".bpf.fn.tj_probe_0")))
int tj_probe_0(void *ctx)
{
  if (!in_scope_cgroups()) return 1;
  u32 scratch_slot = 0;
  struct tj_probe_0_scratch *scratch = bpf_map_lookup_elem(TJ_SCRATCH, &scratch_slot);
  if (!scratch) return 1;
  count_hit(0);
  /* $name = str(args.filename) */
  u64 field_1 = *(volatile u64 *)(ctx + 24);
  bpf_probe_read_kernel(scratch->v0_name, 1024, (void *)0);
  if (bpf_probe_read_user_str(scratch->v0_name, 1024, (void *)field_1) == 1024) {
    bpf_probe_read_user((scratch->v0_name + 1023), 1, (void *)((void *)field_1 + 1023));
  }
  u64 differs_2 = 0;
  differs_2 |= *(u64 *)scratch->v0_name ^ 0x7361702f6374652fULL;
  differs_2 |= *(u32 *)(scratch->v0_name + 8) ^ 0x647773U;
  u8 differs_3 = differs_2 != 0;
  u8 decided_7 = (!differs_3) != 0;
  if (!decided_7) {
    s64 found_4 = -2;
    for (u32 position_5 = 0; position_5 < 1023; position_5++) {
      if (!scratch->v0_name[position_5]) break;
      if (scratch->v0_name[position_5] == 42 && scratch->v0_name[position_5 + 1] == 47) {
        found_4 = position_5;
        break;
      }
    }
    u8 string_contains_6 = (found_4 >= 0);
    decided_7 = string_contains_6 != 0;
  }
  if (decided_7) {
    /* printf("%-8d %s %s.n", pid, comm, $name) */
    u32 pid_8 = bpf_get_current_pid_tgid() >> 32;
    struct event_0 *event_9 = bpf_ringbuf_reserve(TJ_EVENTS, sizeof(*event_9), 0);
    if (event_9) {
      event_9->id = 0;
      event_9->a0 = pid_8;
      bpf_get_current_comm(event_9->a1, 16);
      bpf_probe_read_kernel(event_9->a2, 1024, scratch->v0_name);
      bpf_ringbuf_submit(event_9, 1);
    } else {
      count(0, RING_FULL);
    }
  } else {
    /* @seen[$name, args.flags] = (1, "x") */
    {
      u8 value_10[8] __attribute__((aligned(8)));
      *(s8 *)value_10 = 1;
      *(u8 *)(value_10 + 1) = 0x78U;
      *(u8 *)(value_10 + 2) = 0x0U;
      u8 *key_11 = scratch->temporary + 0;
      s32 field_12 = *(volatile s32 *)(ctx + 32);
      bpf_probe_read_kernel(key_11, 1024, scratch->v0_name);
      *(s32 *)(key_11 + 1024) = field_12;
      if (bpf_map_update_elem(MAP_seen, key_11, value_10, 0)) {
        count(0, MAP_FULL);
      }
    }
  }
  return 1;
}
