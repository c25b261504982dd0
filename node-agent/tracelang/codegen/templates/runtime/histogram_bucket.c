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
