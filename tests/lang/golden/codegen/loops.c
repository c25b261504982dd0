/* Made by tracejob from a tracing program. Maps are bpf_pseudo_fd(1, n): the loader puts their descriptors there. */

#define MAP_m ((void *)bpf_pseudo_fd(1, 0)) /* @m */
#define TJ_EVENTS ((void *)bpf_pseudo_fd(1, 1)) /* tj_events */
#define TJ_COUNTERS ((void *)bpf_pseudo_fd(1, 2)) /* tj_counters */
#define TJ_SCRATCH ((void *)bpf_pseudo_fd(1, 3)) /* tj_scratch */
#define HITS 0ULL
#define RING_FULL 1ULL
#define MAP_FULL 2ULL
#define RATE_LIMITED 3ULL
#define STACK_LOST 4ULL
#define OUTSIDE 5ULL

struct event_0 {
  u64 id;
  s8 a0;
  u8 pad[7];
} __attribute__((packed, aligned(8)));

/* One more of it: exact also where another task may take over this CPU in between, as in user functions. */
static __always_inline void count(u32 program, u32 what)
{
  u64 *counters = bpf_map_lookup_elem(TJ_COUNTERS, &program);
  if (counters)
    __sync_fetch_and_add(&counters[what], 1);
}

struct tj_probe_0_scratch {
  u64 v_returned;
  s64 v0_sum __attribute__((aligned(8)));
  s8 v1_i __attribute__((aligned(8)));
  u8 v2_kv[16] __attribute__((aligned(8)));
  s64 first_1;
};


__attribute__((section(".bpf.fn.tj_probe_0_loop_0")))
int tj_probe_0_loop_0(u64 turn, void *data)
{
  void *ctx = *(void **)data;
  u32 scratch_slot = 0;
  struct tj_probe_0_scratch *scratch = bpf_map_lookup_elem(TJ_SCRATCH, &scratch_slot);
  if (!scratch) return 1;
  scratch->v1_i = (s8)(scratch->first_1 + (s64)turn);
  /* $sum += $i */
  scratch->v0_sum = (s64)((u64)scratch->v0_sum + (u64)(s64)scratch->v1_i);
  if (scratch->v0_sum > 20LL) {
    /* break; */
    return 1;
  }
  return 0;
}

__attribute__((section(".bpf.fn.tj_probe_0_loop_1")))
int tj_probe_0_loop_1(u64 turn, void *data)
{
  void *ctx = *(void **)data;
  u32 scratch_slot = 0;
  struct tj_probe_0_scratch *scratch = bpf_map_lookup_elem(TJ_SCRATCH, &scratch_slot);
  if (!scratch) return 1;
  if (!(scratch->v0_sum > 0LL)) return 1;
  /* $sum-- */
  scratch->v0_sum = (s64)((u64)scratch->v0_sum + (u64)(-1LL));
  return 0;
}

__attribute__((section(".bpf.fn.tj_probe_0_loop_2")))
int tj_probe_0_loop_2(void *map, void *key, void *entry, void *data)
{
  void *ctx = *(void **)data;
  u32 scratch_slot = 0;
  struct tj_probe_0_scratch *scratch = bpf_map_lookup_elem(TJ_SCRATCH, &scratch_slot);
  if (!scratch) return 1;
  s8 loaded_3 = *(s8 *)((u8 *)key);
  *(s8 *)scratch->v2_kv = loaded_3;
  __builtin_memset((u8 *)(scratch->v2_kv + 1), 0, 7);
  s64 loaded_4 = *(s64 *)((u8 *)entry);
  *(s64 *)(scratch->v2_kv + 8) = loaded_4;
  /* print($kv.0) */
  s8 loaded_5 = *(s8 *)scratch->v2_kv;
  struct event_0 *event_6 = bpf_ringbuf_reserve(TJ_EVENTS, sizeof(*event_6), 0);
  if (event_6) {
    event_6->id = 0;
    event_6->a0 = loaded_5;
    bpf_ringbuf_submit(event_6, 1);
  } else {
    count(0, RING_FULL);
  }
  return 0;
}

/* begin */
__attribute__((section(".bpf.fn.tj_probe_0")))
int tj_probe_0(void *ctx)
{
  u32 scratch_slot = 0;
  struct tj_probe_0_scratch *scratch = bpf_map_lookup_elem(TJ_SCRATCH, &scratch_slot);
  if (!scratch) return 0;
  void *kept = ctx;
  scratch->v_returned = 0;
  scratch->v0_sum = 0;
  scratch->v1_i = 0;
  __builtin_memset((u64 *)scratch->v2_kv, 0, 16);
  /* $sum = 0 */
  scratch->v0_sum = 0LL;
  /* for ($i : 0..10) */
  scratch->first_1 = 0;
  asm volatile("" : : : "memory");
  u64 turns_2 = (s64)10 > scratch->first_1 ? (u64)((s64)10 - scratch->first_1) : 0;
  if (turns_2 > 8388608) turns_2 = 8388608;
  bpf_loop(turns_2, (void *)bpf_pseudo_fd(4, 0), &kept, 0);
  /* while ($sum > 0) */
  bpf_loop(8388608, (void *)bpf_pseudo_fd(4, 1), &kept, 0);
  /* for ($kv : @m) */
  bpf_for_each_map_elem(MAP_m, (void *)bpf_pseudo_fd(4, 2), &kept, 0);
  /* @m[1] = $sum */
  {
    s64 value_7 = scratch->v0_sum;
    s8 key_8 = 1;
    if (bpf_map_update_elem(MAP_m, &key_8, &value_7, 0)) {
      count(0, MAP_FULL);
    }
  }
  return 0;
}
