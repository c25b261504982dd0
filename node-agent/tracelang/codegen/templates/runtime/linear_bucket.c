/* 0: below low; the last: from high on. */
static __always_inline u64 linear_bucket(u64 n, s64 low, s64 high, u64 step, u32 is_signed)
{
  if (is_signed ? (s64)n < low : n < (u64)low)
    return 0;
  if (is_signed ? (s64)n >= high : n >= (u64)high)
    return ((u64)(high - low) + step - 1) / step + 1;
  return (n - (u64)low) / step + 1;
}
