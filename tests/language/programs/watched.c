/* Writes a number once a millisecond, for ten seconds; says first where it is. */
#include <stdio.h>
#include <time.h>

static volatile long number;

int main(void) {
  struct timespec moment = {.tv_nsec = 1000000};
  printf("%p\n", (void *)&number);
  fflush(stdout);
  for (int i = 0; i < 10000; i++) {
    number++;
    nanosleep(&moment, NULL);
  }
  return 0;
}
