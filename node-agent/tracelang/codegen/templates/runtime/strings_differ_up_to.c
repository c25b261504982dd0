static __always_inline u64 strings_differ_up_to(const u8 *a, const u8 *b, u32 size, u64 limit)
{
#pragma clang loop unroll(disable)
  for (u32 i = 0; i < size; i++) {
    if (i >= limit)
      return 0;
    if (a[i] != b[i])
      return 1;
    if (!a[i])
      return 0;
  }
  return 0;
}
