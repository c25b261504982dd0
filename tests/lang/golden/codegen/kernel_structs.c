/* Made by tracejob from a tracing program. Maps are bpf_pseudo_fd(1, n): the loader puts their descriptors there. */

#define MAP_0_ ((void *)bpf_pseudo_fd(1, 0)) /* @ */
#define MAP_stack ((void *)bpf_pseudo_fd(1, 1)) /* @stack */
#define TJ_EVENTS ((void *)bpf_pseudo_fd(1, 2)) /* tj_events */
#define TJ_COUNTERS ((void *)bpf_pseudo_fd(1, 3)) /* tj_counters */
#define TJ_SCOPE_CGROUPS ((void *)bpf_pseudo_fd(1, 4)) /* tj_scope_cgroup */
#define TJ_SCOPE_KNOWN ((void *)bpf_pseudo_fd(1, 5)) /* tj_scope_known */
#define TJ_CONSTANTS ((void *)bpf_pseudo_fd(1, 6)) /* tj_constants */
#define TJ_STACKS_8 ((void *)bpf_pseudo_fd(1, 7)) /* tj_stacks */
#define TJ_SCRATCH ((void *)bpf_pseudo_fd(1, 8)) /* tj_scratch */
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

/* Keeps a stack under the hash of its frames, once. The kernel's own stack maps drop a stack whose short hash another
   one has. Gives the key. */
static __always_inline s64 keep_frames(u32 program, void *map, u64 *frames, u32 size, u64 count_of)
{
  u64 hash = count_of + 1;
#pragma clang loop unroll(disable)
  for (u32 i = 0; i < size / 8; i++) {
    if (i >= count_of)
      break;
    hash = (hash ^ frames[i]) * 0x9e3779b97f4a7c15ULL;
    hash ^= hash >> 29;
  }
  s64 key = hash >> 1;
  if (!bpf_map_lookup_elem(map, &key) && bpf_map_update_elem(map, &key, frames, 1) && !bpf_map_lookup_elem(map, &key))
    count(program, STACK_LOST);
  return key;
}

/* Takes a stack and keeps it. Gives the key, or a negative error number. */
static __always_inline s64 keep_stack(u32 program, void *ctx, void *map, u64 *frames, u32 size, u64 flags)
{
  s64 got = bpf_get_stack(ctx, frames, size, flags);
  if (got < 0)
    return got;
  return keep_frames(program, map, frames, size, (u64)got >> 3);
}

struct tj_probe_0_scratch {
  u8 temporary[64] __attribute__((aligned(8)));
};


/* tracepoint:sched:sched_switch */
__attribute__((section(".bpf.fn.tj_probe_0")))
int tj_probe_0(void *ctx)
{
  if (!in_scope_cgroups()) return 1;
  u32 scratch_slot = 0;
  struct tj_probe_0_scratch *scratch = bpf_map_lookup_elem(TJ_SCRATCH, &scratch_slot);
  if (!scratch) return 1;
  count_hit(0);
  /* sum(curtask->slots[2]) */
  {
    u64 curtask_1 = bpf_get_current_task();
    u16 loaded_2 = 0;
    bpf_probe_read_kernel(&loaded_2, sizeof(loaded_2), (void *)(curtask_1 + 44));  /* [2] */
    u64 number_3 = (u64)loaded_2;
    u8 key_4[24] __attribute__((aligned(8)));
    u64 curtask_5 = bpf_get_current_task();
    u64 loaded_6 = 0;
    bpf_probe_read_kernel(&loaded_6, sizeof(loaded_6), (void *)(curtask_5 + 24));  /* struct task_struct.parent */
    u64 curtask_7 = bpf_get_current_task();
    u8 loaded_8 = 0;
    bpf_probe_read_kernel(&loaded_8, sizeof(loaded_8), (void *)(curtask_7 + 32));  /* struct task_struct.flag */
    u32 t_9 = (u32)(((u64)loaded_8 >> 3) & 0x3ULL);
    __builtin_memset((u64 *)key_4, 0, 16);
    if (bpf_probe_read_kernel_str(key_4, 16, (void *)(loaded_6 + 8)) == 16) bpf_probe_read_kernel((key_4 + 15), 1, (void *)(loaded_6 + 23));
    *(u32 *)(key_4 + 16) = t_9;
    u64 * slot_10 = bpf_map_lookup_elem(MAP_0_, key_4);
    if (!slot_10) {
      u64 zero_11 = 0;
      bpf_map_update_elem(MAP_0_, key_4, &zero_11, 1);
      slot_10 = bpf_map_lookup_elem(MAP_0_, key_4);
      if (!slot_10) {
        count(0, MAP_FULL);
      }
    }
    if (slot_10) {
      *slot_10 += (u64)number_3;
    }
  }
  /* count() */
  {
    u8 key_12[16] __attribute__((aligned(8)));
    u8 *frames_13 = scratch->temporary + 0;
    s64 stack_14 = keep_stack(0, ctx, TJ_STACKS_8, (u64 *)frames_13, 64, 0);
    u32 pid_15 = 0;
    *(s64 *)key_12 = stack_14;
    *(u32 *)(key_12 + 8) = pid_15;
    *(u32 *)(key_12 + 12) = 0;
    u64 * slot_16 = bpf_map_lookup_elem(MAP_stack, key_12);
    if (!slot_16) {
      u64 zero_17 = 0;
      bpf_map_update_elem(MAP_stack, key_12, &zero_17, 1);
      slot_16 = bpf_map_lookup_elem(MAP_stack, key_12);
      if (!slot_16) {
        count(0, MAP_FULL);
      }
    }
    if (slot_16) {
      *slot_16 += 1;
    }
  }
  return 1;
}
