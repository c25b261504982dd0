/* BPF divides unsigned numbers only. Division by zero gives 0. */
static __always_inline s64 signed_divide(s64 a, s64 b)
{
  u64 x = a < 0 ? -(u64)a : (u64)a;
  u64 y = b < 0 ? -(u64)b : (u64)b;
  u64 quotient = y ? x / y : 0;
  return (a < 0) != (b < 0) ? (s64)-quotient : (s64)quotient;
}
