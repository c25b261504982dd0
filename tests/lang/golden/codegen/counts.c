/* Made by tracejob from a tracing program. Maps are bpf_pseudo_fd(1, n): the loader puts their descriptors there. */

#define MAP_by_name ((void *)bpf_pseudo_fd(1, 0)) /* @by_name */
#define MAP_total ((void *)bpf_pseudo_fd(1, 1)) /* @total */
#define TJ_EVENTS ((void *)bpf_pseudo_fd(1, 2)) /* tj_events */
#define TJ_COUNTERS ((void *)bpf_pseudo_fd(1, 3)) /* tj_counters */
#define TJ_SCOPE_CGROUPS ((void *)bpf_pseudo_fd(1, 4)) /* tj_scope_cgroup */

/* One more in a slot of this CPU's counters. */
static __always_inline void count(u32 slot)
{
  u64 *counter = bpf_map_lookup_elem(TJ_COUNTERS, &slot);
  if (counter)
    *counter += 1;
}

/* Whether the current task is below one of the target's cgroups; an empty slot (an error) ends the list. */
static __always_inline u8 in_scope_cgroups(void)
{
  for (u32 slot = 0; slot < 4; slot++) {
    long under = bpf_current_task_under_cgroup(TJ_SCOPE_CGROUPS, slot);
    if (under == 1)
      return 1;
    if (under < 0)
      return 0;
  }
  return 0;
}


/* tracepoint:syscalls:sys_enter_openat */
__attribute__((section(".bpf.fn.tj_probe_0")))
int tj_probe_0(void *ctx)
{
  if (!in_scope_cgroups()) return 1;
  count(8);
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
        count(1);
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
    }
  }
  return 1;
}
