static __always_inline u64 bytes_differ(const u8 *a, const u8 *b, u32 size)
{
#pragma clang loop unroll(disable)
  for (u32 i = 0; i < size; i++) {
    if (a[i] != b[i])
      return 1;
  }
  return 0;
}
