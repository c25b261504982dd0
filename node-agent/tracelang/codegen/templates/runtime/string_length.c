static __always_inline u64 string_length(const u8 *text, u32 size)
{
  u64 length = 0;
#pragma clang loop unroll(disable)
  for (u32 i = 0; i < size; i++) {
    if (!text[i])
      break;
    length++;
  }
  return length;
}
