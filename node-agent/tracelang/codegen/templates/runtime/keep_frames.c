/* Keeps a stack under the hash of its frames, once. The kernel's own stack maps drop a stack whose short hash another
   one has. Gives the key. */
static __always_inline s64 keep_frames(u32 program, void *map, u64 *frames, u32 size, u64 count_of)
{
  u64 hash = count_of + 1;
#pragma clang loop unroll(disable)
  for (u32 i = 0; i < size / 8; i++) {
    if (i >= count_of)
      break;
    hash = (hash ^ frames[i]) * 0x9e3779b97f4a7c15ULL;
    hash ^= hash >> 29;
  }
  s64 key = hash >> 1;
  if (!bpf_map_lookup_elem(map, &key) && bpf_map_update_elem(map, &key, frames, 1) && !bpf_map_lookup_elem(map, &key))
    count(program, STACK_LOST);
  return key;
}
