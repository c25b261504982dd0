/* A binary for the examples of docs/language.md, which call it /lib/libshop.so: buy() once, and its sale. */
#include <sys/sdt.h>

int counter = 5;

__attribute__((noinline)) int buy(const char *item, int count) {
  DTRACE_PROBE1(shop, sale, count);
  return item[0] + count + counter;
}

int main(void) { return buy("apples", 3) == 0; }
