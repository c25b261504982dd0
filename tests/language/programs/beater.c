/* Fires a USDT probe ten times a second, until it is killed. */
#include <sys/sdt.h>
#include <unistd.h>

void beat(void) { DTRACE_PROBE1(shop, beat, 42); }

int main(void) {
  for (;;) {
    beat();
    usleep(100000);
  }
}
