/* Takes a stack and keeps it. Gives the key, or a negative error number. */
static __always_inline s64 keep_stack(u32 program, void *ctx, void *map, u64 *frames, u32 size, u64 flags)
{
  s64 got = bpf_get_stack(ctx, frames, size, flags);
  if (got < 0)
    return got;
  return keep_frames(program, map, frames, size, (u64)got >> 3);
}
