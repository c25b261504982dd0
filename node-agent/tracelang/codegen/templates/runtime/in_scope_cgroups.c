/* Whether the current task is below one of the target's cgroups; an empty slot (an error) ends the list. */
static __always_inline u8 in_scope_cgroups(void)
{
  for (u32 slot = 0; slot < SCOPE_SLOTS; slot++) {
    long under = bpf_current_task_under_cgroup(TJ_SCOPE_CGROUPS, slot);
    if (under == 1)
      return 1;
    if (under < 0)
      return 0;
  }
  return 0;
}
