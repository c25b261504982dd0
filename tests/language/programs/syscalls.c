/* Makes an exact number of system calls: `syscalls openat|getppid|nanosleep|write N`. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv) {
  if (argc < 3)
    return 1;
  long count = atol(argv[2]);
  int sink = open("/dev/null", O_WRONLY);
  for (long i = 0; i < count; i++) {
    if (!strcmp(argv[1], "openat"))
      close((int)syscall(SYS_openat, AT_FDCWD, "/nowhere/tracejob", O_RDONLY, 0));
    else if (!strcmp(argv[1], "getppid"))
      syscall(SYS_getppid);
    else if (!strcmp(argv[1], "write"))
      (void)!write(sink, "0123456789", 10);
    else if (!strcmp(argv[1], "nanosleep")) {
      struct timespec pause = {0, 1000000};
      nanosleep(&pause, NULL);
    } else
      return 1;
  }
  return 0;
}
