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
