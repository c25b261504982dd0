/* The remainder has the dividend's sign; modulo zero gives the dividend. */
static __always_inline s64 signed_modulo(s64 a, s64 b)
{
  u64 x = a < 0 ? -(u64)a : (u64)a;
  u64 y = b < 0 ? -(u64)b : (u64)b;
  u64 rest = y ? x % y : x;
  return a < 0 ? (s64)-rest : (s64)rest;
}
