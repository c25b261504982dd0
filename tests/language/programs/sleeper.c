/* Sleeps until it is killed, calling tick() every 10 ms. */
#include <time.h>

__attribute__((noinline)) int tick(int n) { return n + 1; }

int main(void) {
  struct timespec pause = {0, 10000000};
  int n = 0;
  for (;;) {
    n = tick(n);
    nanosleep(&pause, 0);
  }
}
