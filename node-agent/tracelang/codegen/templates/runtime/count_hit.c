/* One more run of a program that has this CPU for itself: a plain addition does. */
static __always_inline void count_hit(u32 program)
{
  u64 *counters = bpf_map_lookup_elem(TJ_COUNTERS, &program);
  if (counters)
    counters[HITS] += 1;
}
