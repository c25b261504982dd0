/* A USDT probe at two places, with two arguments, and one at a single place, with one. */
#include <sys/sdt.h>

int main(void) {
  int size = 7;
  for (volatile int round = 0; round < 1; round++) {
    DTRACE_PROBE2(shop, twice, 1, size);
  }
  DTRACE_PROBE2(shop, twice, 2, size);
  DTRACE_PROBE1(shop, once, 3);
  return 0;
}
