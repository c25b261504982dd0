/* One frame of a stack of user space, by the tables that the engine makes of the binaries' call frame information.
   A row holds from its address on: where the caller's frame begins (base, frame) and the caller's bp is kept (saved;
   0: in the register). Rows of a file stand together, by address; regions are what a process has mapped of files. */
struct unwind_region { u64 start; u64 end; u64 bias; u32 first; u32 rows; };
struct unwind_process { u64 count; struct unwind_region regions[UNWIND_REGIONS]; };
struct unwind_row { u32 address; s32 frame; s32 saved; u32 base; };
struct unwinding { u64 ip; u64 sp; u64 bp; u64 *frames; struct unwind_process *process; u64 count; };

/* Keeps a check on the register that is used. */
#define UNWIND_OPAQUE(number) asm volatile("" : "+r"(number))
/* A step of a search without a branch, as the verifier follows both sides of each: the half where `wanted` is. */
#define UNWIND_HALVE(low, middle, high, there, wanted) \
  do { \
    u64 below = (u64)((s64)((wanted) - (u64)(there)) >> 63); \
    UNWIND_OPAQUE(below); \
    high = (high & ~below) | ((middle) & below); \
    low = (low & below) | ((middle) & ~below); \
  } while (0)

static __always_inline int unwind_frame(struct unwinding *at, void *table, u32 depth)
{
  u64 number = at->count;
  UNWIND_OPAQUE(number);
  if (number >= depth)
    return 1;
  at->frames[number] = at->ip;
  at->count = number + 1;
  /* A return address may be the first of the next function. */
  u64 code = number ? at->ip - 1 : at->ip;
  struct unwind_process *process = at->process;
  u64 low = 0, high = process->count;
#pragma clang loop unroll(disable)
  for (u32 i = 0; i < UNWIND_REGION_STEPS; i++) {
    u64 middle = (low + high) / 2;
    UNWIND_OPAQUE(middle);
    if (middle >= UNWIND_REGIONS)
      return 1;
    UNWIND_HALVE(low, middle, high, process->regions[middle].start, code);
  }
  UNWIND_OPAQUE(low);
  if (low >= UNWIND_REGIONS)
    return 1;
  struct unwind_region *region = &process->regions[low];
  if (code < region->start || code >= region->end)
    return 1;
  u64 address = (u32)(code - region->bias);
  u64 first = region->first, end = first + region->rows;
  struct unwind_row *row;
#pragma clang loop unroll(disable)
  for (u32 i = 0; i < UNWIND_ROW_STEPS; i++) {
    u32 middle = first + (end - first) / 2;
    row = bpf_map_lookup_elem(table, &middle);
    if (!row)
      return 1;
    UNWIND_HALVE(first, middle, end, row->address, address);
  }
  u32 found = first;
  row = bpf_map_lookup_elem(table, &found);
  if (!row || row->address > address)
    return 1;
  u64 frame = row->frame;
  if (row->base == UNWIND_SP)
    frame += at->sp;
  else if (row->base == UNWIND_BP)
    frame += at->bp;
  else if (row->base == UNWIND_PLT)
    frame += at->sp + ((code & 15) >= 11 ? 8 : 0);
  else
    return 1;
  u64 caller = 0;
  if (bpf_probe_read_user(&caller, 8, (void *)(frame - 8)) || !caller)
    return 1;
  if (row->saved && bpf_probe_read_user(&at->bp, 8, (void *)(frame + (s64)row->saved)))
    return 1;
  at->sp = frame;
  at->ip = caller;
  return 0;
}
