static __always_inline u64 current_cgroup_v1_id(void)
{
  return cgroup_v1_id(cgroup_v1_state());
}
