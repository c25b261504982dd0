/* USDT probes: `usdt [rounds]` fires plain, with arguments of several widths, and one behind a semaphore. */
#define _SDT_HAS_SEMAPHORES 1
#include <stdint.h>
#include <stdlib.h>
#include <sys/sdt.h>
#include <unistd.h>


unsigned short shop_step_semaphore __attribute__((section(".probes")));
unsigned short shop_plain_semaphore __attribute__((section(".probes")));
unsigned short shop_sale_semaphore __attribute__((section(".probes")));

static volatile int steps_seen;

int main(int argc, char **argv) {
  int rounds = argc > 1 ? atoi(argv[1]) : 1;
  for (int i = 0; i < rounds; i++) {
    uint8_t small = 200;
    int32_t negative = -12;
    uint64_t large = 1ULL << 40;
    static char item[] = "apples"; /* in a page that is there: reads from a probe can't fault one in */
    DTRACE_PROBE(shop, plain);
    DTRACE_PROBE5(shop, sale, item, small, negative, large, 7);
    if (shop_step_semaphore) {
      steps_seen++;
      DTRACE_PROBE1(shop, step, i);
    }
  }
  return 0;
}
