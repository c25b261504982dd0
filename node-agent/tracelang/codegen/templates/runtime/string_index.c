/* Where the needle begins; -2: nowhere. */
static __always_inline s64 string_index(const u8 *hay, u32 size, const u8 *needle, u32 needle_size)
{
  if (!needle[0])
    return 0;
#pragma clang loop unroll(disable)
  for (u32 i = 0; i < size; i++) {
    if (!hay[i])
      return -2;
    u8 equal = 1;
#pragma clang loop unroll(disable)
    for (u32 j = 0; j < needle_size; j++) {
      if (!needle[j])
        break;
      if (i + j >= size || hay[i + j] != needle[j]) {
        equal = 0;
        break;
      }
    }
    if (equal)
      return i;
  }
  return -2;
}
