static __always_inline u8 strings_differ(const u8 *a, const u8 *b, u32 size)
{
#pragma clang loop unroll(disable)
  for (u32 i = 0; i < size; i++) {
    if (a[i] != b[i])
      return 1;
    if (!a[i])
      return 0;
  }
  return 0;
}
