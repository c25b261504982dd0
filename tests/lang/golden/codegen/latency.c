/* Made by tracejob from a tracing program. Maps are bpf_pseudo_fd(1, n): the loader puts their descriptors there. */

#define MAP_start ((void *)bpf_pseudo_fd(1, 0)) /* @start */
#define MAP_us ((void *)bpf_pseudo_fd(1, 1)) /* @us */
#define MAP_lin ((void *)bpf_pseudo_fd(1, 2)) /* @lin */
#define TJ_EVENTS ((void *)bpf_pseudo_fd(1, 3)) /* tj_events */
#define TJ_COUNTERS ((void *)bpf_pseudo_fd(1, 4)) /* tj_counters */
#define TJ_SCOPE_CGROUPS ((void *)bpf_pseudo_fd(1, 5)) /* tj_scope_cgroup */
#define TJ_SCOPE_KNOWN ((void *)bpf_pseudo_fd(1, 6)) /* tj_scope_known */
#define TJ_CONSTANTS ((void *)bpf_pseudo_fd(1, 7)) /* tj_constants */
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

/* 0: negative; 1 and on: 2^bits linear buckets per power of two. */
static __always_inline u64 histogram_bucket(u64 n, u32 bits, u32 is_signed)
{
  if (is_signed && (s64)n < 0)
    return 0;
  if (n < (1ULL << bits))
    return n + 1;
  u64 rest = n;
  u64 log = 0;
  if (rest >> 32) { rest >>= 32; log += 32; }
  if (rest >> 16) { rest >>= 16; log += 16; }
  if (rest >> 8) { rest >>= 8; log += 8; }
  if (rest >> 4) { rest >>= 4; log += 4; }
  if (rest >> 2) { rest >>= 2; log += 2; }
  log += rest >> 1;
  u64 shift = log - bits;
  return ((shift + 1) << bits) + ((n >> (shift & 63)) & ((1ULL << bits) - 1)) + 1;
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

/* 0: below low; the last: from high on. */
static __always_inline u64 linear_bucket(u64 n, s64 low, s64 high, u64 step, u32 is_signed)
{
  if (is_signed ? (s64)n < low : n < (u64)low)
    return 0;
  if (is_signed ? (s64)n >= high : n >= (u64)high)
    return ((u64)(high - low) + step - 1) / step + 1;
  return (n - (u64)low) / step + 1;
}

/* BPF divides unsigned numbers only. Division by zero gives 0. */
static __always_inline s64 signed_divide(s64 a, s64 b)
{
  u64 x = a < 0 ? -(u64)a : (u64)a;
  u64 y = b < 0 ? -(u64)b : (u64)b;
  u64 quotient = y ? x / y : 0;
  return (a < 0) != (b < 0) ? (s64)-quotient : (s64)quotient;
}

/* One more run of a program that has this CPU for itself: a plain addition does. */
static __always_inline void count_hit(u32 program)
{
  u64 *counters = bpf_map_lookup_elem(TJ_COUNTERS, &program);
  if (counters)
    counters[HITS] += 1;
}


/* tracepoint:syscalls:sys_enter_open */
__attribute__((section(".bpf.fn.tj_probe_0")))
int tj_probe_0(void *ctx)
{
  if (!in_scope_cgroups()) return 1;
  count_hit(0);
  /* @start[tid] = nsecs */
  {
    u64 nsecs_1 = bpf_ktime_get_boot_ns();
    u64 value_2 = nsecs_1;
    u32 tid_3 = (u32)bpf_get_current_pid_tgid();
    u32 key_4 = tid_3;
    if (bpf_map_update_elem(MAP_start, &key_4, &value_2, 0)) {
      count(0, MAP_FULL);
    }
  }
  return 1;
}
struct tj_probe_1_scratch {
  u8 zeros[96] __attribute__((aligned(8)));
};


/* tracepoint:syscalls:sys_enter_openat */
__attribute__((section(".bpf.fn.tj_probe_1")))
int tj_probe_1(void *ctx)
{
  if (!in_scope_cgroups()) return 1;
  u32 scratch_slot = 1;
  struct tj_probe_1_scratch *scratch = bpf_map_lookup_elem(TJ_SCRATCH, &scratch_slot);
  if (!scratch) return 1;
  count_hit(1);
  u32 tid_1 = (u32)bpf_get_current_pid_tgid();
  u32 key_2 = tid_1;
  u64 * slot_3 = bpf_map_lookup_elem(MAP_start, &key_2);
  u64 read_4 = slot_3 ? *slot_3 : 0;
  if (!(read_4 != 0)) return 1;
  /* hist((nsecs - @start[tid]) / 1000) */
  {
    u64 nsecs_5 = bpf_ktime_get_boot_ns();
    s64 t_10 = (s64)nsecs_5;
    u32 tid_6 = (u32)bpf_get_current_pid_tgid();
    u32 key_7 = tid_6;
    u64 * slot_8 = bpf_map_lookup_elem(MAP_start, &key_7);
    u64 read_9 = slot_8 ? *slot_8 : 0;
    s64 number_11 = signed_divide((s64)((u64)t_10 - (u64)(s64)read_9), 1000LL);
    u32 key_12 = 0;
    u64 * slot_13 = bpf_map_lookup_elem(MAP_us, &key_12);
    if (slot_13) {
      u64 bucket_14 = histogram_bucket(number_11, 0, 1);
      asm volatile("" : "+r"(bucket_14));
      asm volatile("" : "+r"(bucket_14));
      if (bucket_14 < 66) {
        slot_13[bucket_14] += 1;
      }
      ((u64 *)slot_13)[66] = 1;
    }
  }
  /* lhist(args.flags, 0, 100, 10) */
  {
    s32 field_15 = *(volatile s32 *)(ctx + 32);
    s64 number_16 = (s64)field_15;
    u32 pid_17 = bpf_get_current_pid_tgid() >> 32;
    u32 key_18 = pid_17;
    u64 * slot_19 = bpf_map_lookup_elem(MAP_lin, &key_18);
    if (!slot_19) {
      bpf_map_update_elem(MAP_lin, &key_18, scratch->zeros, 1);
      slot_19 = bpf_map_lookup_elem(MAP_lin, &key_18);
      if (!slot_19) {
        count(1, MAP_FULL);
      }
    }
    if (slot_19) {
      u64 bucket_20 = linear_bucket(number_16, 0LL, 100LL, 10ULL, 1);
      asm volatile("" : "+r"(bucket_20));
      asm volatile("" : "+r"(bucket_20));
      if (bucket_20 < 12) {
        slot_19[bucket_20] += 1;
      }
    }
  }
  /* delete(@start, tid) */
  {
    u32 tid_21 = (u32)bpf_get_current_pid_tgid();
    u32 key_22 = tid_21;
    s64 failure_23 = bpf_map_delete_elem(MAP_start, &key_22);
  }
  return 1;
}
