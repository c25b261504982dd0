/* Made by tracejob from a tracing program. Maps are bpf_pseudo_fd(1, n): the loader puts their descriptors there. */

#define MAP_by_name ((void *)bpf_pseudo_fd(1, 0)) /* @by_name */
#define MAP_total ((void *)bpf_pseudo_fd(1, 1)) /* @total */
#define TJ_EVENTS ((void *)bpf_pseudo_fd(1, 2)) /* tj_events */
#define TJ_COUNTERS ((void *)bpf_pseudo_fd(1, 3)) /* tj_counters */
#define TJ_SCOPE_CGROUPS ((void *)bpf_pseudo_fd(1, 4)) /* tj_scope_cgroup */
#define TJ_SCOPE_KNOWN ((void *)bpf_pseudo_fd(1, 5)) /* tj_scope_known */
#define TJ_CONSTANTS ((void *)bpf_pseudo_fd(1, 6)) /* tj_constants */
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


/* tracepoint:syscalls:sys_enter_openat */
__attribute__((section(".bpf.fn.tj_probe_0")))
int tj_probe_0(void *ctx)
{
  if (!in_scope_cgroups()) return 1;
  count_hit(0);
  u32 pid_1 = bpf_get_current_pid_tgid() >> 32;
  if (!(pid_1 > 1)) return 1;
  /* count() */
  {
    u8 key_2[16] __attribute__((aligned(8)));
    bpf_get_current_comm(key_2, 16);
    u64 * slot_3 = bpf_map_lookup_elem(MAP_by_name, key_2);
    if (!slot_3) {
      u64 zero_4 = 0;
      bpf_map_update_elem(MAP_by_name, key_2, &zero_4, 1);
      slot_3 = bpf_map_lookup_elem(MAP_by_name, key_2);
      if (!slot_3) {
        count(0, MAP_FULL);
      }
    }
    if (slot_3) {
      *slot_3 += 1;
    }
  }
  /* @total++ */
  {
    u32 key_5 = 0;
    s64 old_6 = 0;
    s64 * slot_7 = bpf_map_lookup_elem(MAP_total, &key_5);
    s64 step_8 = 1LL;
    if (slot_7) {
      old_6 = __sync_fetch_and_add(slot_7, step_8);
      ((u64 *)slot_7)[1] = 1;
    }
  }
  return 1;
}
