/* Made by tracejob from a tracing program. Maps are bpf_pseudo_fd(1, n): the loader puts their descriptors there. */

#define MAP_results ((void *)bpf_pseudo_fd(1, 0)) /* @results */
#define MAP_first ((void *)bpf_pseudo_fd(1, 1)) /* @first */
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

struct event_0 {
  u64 id;
  u8 a0[1024];
  s32 a1;
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


/* uprobe:/lib/libshop.so:buy */
__attribute__((section(".bpf.fn.tj_probe_0")))
int tj_probe_0(void *ctx)
{
  if (!in_scope_cgroups()) {
    count(0, OUTSIDE);
    return 0;
  }
  count(0, HITS);
  /* printf("%s %d.n", str(args.name), args.count) */
  u64 r_arg0_1 = *(volatile u64 *)(ctx + 112);
  u64 t_2 = r_arg0_1;
  u64 r_arg1_3 = *(volatile u64 *)(ctx + 104);
  s32 t_4 = (s32)r_arg1_3;
  struct event_0 *event_5 = bpf_ringbuf_reserve(TJ_EVENTS, sizeof(*event_5), 0);
  if (event_5) {
    event_5->id = 0;
    if (bpf_probe_read_user_str(event_5->a0, 1024, (void *)t_2) == 1024) {
      bpf_probe_read_user((((u8 *)event_5) + 1031), 1, (void *)((void *)t_2 + 1023));
    }
    event_5->a1 = t_4;
    bpf_ringbuf_submit(event_5, 1);
  } else {
    count(0, RING_FULL);
  }
  return 0;
}

/* uretprobe:/lib/libshop.so:buy */
__attribute__((section(".bpf.fn.tj_probe_1")))
int tj_probe_1(void *ctx)
{
  if (!in_scope_cgroups()) {
    count(1, OUTSIDE);
    return 0;
  }
  count(1, HITS);
  /* count() */
  {
    u64 r_ax_1 = *(volatile u64 *)(ctx + 80);
    u64 return_value_2 = r_ax_1;
    u64 key_3 = return_value_2;
    u64 * slot_4 = bpf_map_lookup_elem(MAP_results, &key_3);
    if (!slot_4) {
      u64 zero_5 = 0;
      bpf_map_update_elem(MAP_results, &key_3, &zero_5, 1);
      slot_4 = bpf_map_lookup_elem(MAP_results, &key_3);
      if (!slot_4) {
        count(1, MAP_FULL);
      }
    }
    if (slot_4) {
      __sync_fetch_and_add(slot_4, 1);
    }
  }
  return 0;
}

/* usdt:/lib/libshop.so:shop:sale */
__attribute__((section(".bpf.fn.tj_probe_2")))
int tj_probe_2(void *ctx)
{
  if (!in_scope_cgroups()) {
    count(2, OUTSIDE);
    return 0;
  }
  count(2, HITS);
  /* @first = arg0 */
  {
    u64 r_di_1 = *(volatile u64 *)(ctx + 112);
    u64 value_2 = (u64)(u64)r_di_1;
    u32 key_3 = 0;
    u64 * slot_4 = bpf_map_lookup_elem(MAP_first, &key_3);
    if (slot_4) {
      *slot_4 = value_2;
      ((u64 *)slot_4)[1] = 1;
    }
  }
  return 0;
}
