/* Traced calls at a known rate, and what one of them takes.

     generator CPU CALLS [CALLS_PER_SECOND]

   Makes CALLS calls of getpgid() on one CPU, in chunks, as fast as it can or at a rate. Prints: calls made, the whole
   time in seconds, and nanoseconds per call of the fastest chunk, of the chunk at a tenth of all, and of the median:
   what else the machine does lengthens some chunks, never shortens one. */

#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static long now(void)
{
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000L + time.tv_nsec;
}

static int ascending(const void *left, const void *right)
{
  double difference = *(const double *)left - *(const double *)right;
  return (difference > 0) - (difference < 0);
}

int main(int count, char **arguments)
{
  if (count < 3)
    return 2;
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  CPU_SET(atoi(arguments[1]), &cpus);
  if (sched_setaffinity(0, sizeof cpus, &cpus))
    return perror("sched_setaffinity"), 1;
  long calls = atol(arguments[2]);
  long rate = count > 3 ? atol(arguments[3]) : 0;
  long chunk = rate ? (rate / 1000 > 0 ? rate / 1000 : 1) : 1000;
  long chunks = (calls + chunk - 1) / chunk;
  double *times = malloc(sizeof(double) * (size_t)chunks);
  if (!times)
    return 1;
  long begin = now();
  long done = 0;
  for (long index = 0; index < chunks; index++) {
    long size = calls - done < chunk ? calls - done : chunk;
    if (rate) {
      long due = begin + (long)((double)done * 1e9 / (double)rate);
      struct timespec until = {due / 1000000000L, due % 1000000000L};
      clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
    }
    long start = now();
    for (long call = 0; call < size; call++)
      syscall(SYS_getpgid, 0);
    times[index] = (double)(now() - start) / (double)size;
    done += size;
  }
  double seconds = (double)(now() - begin) / 1e9;
  qsort(times, (size_t)chunks, sizeof(double), ascending);
  printf("%ld %.6f %.2f %.2f %.2f\n", done, seconds, times[0], times[chunks / 10], times[chunks / 2]);
  return 0;
}
