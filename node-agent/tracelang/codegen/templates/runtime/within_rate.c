/* Whether this second still has room for an event. */
static __always_inline u8 within_rate(void)
{
  u32 key = 0;
  u64 *state = bpf_map_lookup_elem(TJ_RATE, &key);
  if (!state)
    return 1;
  u64 second = bpf_ktime_get_ns() / 1000000000ULL;
  if (state[0] != second) {
    state[0] = second;
    state[1] = 0;
  }
  u64 before = state[1];
  __sync_fetch_and_add(&state[1], 1);
  return before < EVENTS_PER_SECOND;
}
