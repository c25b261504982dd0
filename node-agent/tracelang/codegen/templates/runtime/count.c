/* One more of it: exact also where another task may take over this CPU in between, as in user functions. */
static __always_inline void count(u32 program, u32 what)
{
  u64 *counters = bpf_map_lookup_elem(TJ_COUNTERS, &program);
  if (counters)
    __sync_fetch_and_add(&counters[what], 1);
}
