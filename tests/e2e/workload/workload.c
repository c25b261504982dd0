/*
 * The traced program of the end-to-end tests: does exactly what it is told, and nothing else that a probe could count.
 *
 *   workload idle            waits (process 1 of a pod); SIGTERM ends it
 *   workload open N [COMM]   N openat calls, under the name COMM
 *   workload write N SIZE    N write calls of SIZE bytes
 *   workload call N          N calls of traced_function(0..N-1)
 *   workload fork N          N openat calls by a child
 *   workload kill PID        sends SIGTERM
 *   workload forever         one openat every millisecond, until SIGTERM
 *
 * It is static, so that its start makes no openat call, and it has symbols, so that a uprobe finds traced_function.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void leave(int signal_number)
{
	(void)signal_number;
	_exit(0);
}

static void open_files(long count)
{
	for (long i = 0; i < count; i++) {
		long fd = syscall(SYS_openat, AT_FDCWD, "/proc/self/stat", O_RDONLY, 0);
		if (fd >= 0)
			syscall(SYS_close, fd);
	}
}

static void write_blocks(long count, size_t size)
{
	char *block = calloc(1, size ? size : 1);
	int fd = open("/dev/null", O_WRONLY);
	if (block == NULL || fd < 0)
		exit(1);
	for (long i = 0; i < count; i++)
		if (syscall(SYS_write, fd, block, size) != (long)size)
			exit(1);
}

__attribute__((noinline, noclone)) long traced_function(long number)
{
	__asm__ volatile("" : "+r"(number));
	return number * 2;
}

static long number(const char *text)
{
	char *end;
	errno = 0;
	long value = strtol(text, &end, 10);
	if (errno || *end || end == text || value < 0) {
		fprintf(stderr, "workload: %s: not a number\n", text);
		exit(2);
	}
	return value;
}

int main(int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "idle";
	long count = argc > 2 ? number(argv[2]) : 0;

	if (!strcmp(verb, "idle")) {
		signal(SIGTERM, leave);
		for (;;)
			pause();
	} else if (!strcmp(verb, "open")) {
		if (argc > 3)
			prctl(PR_SET_NAME, argv[3]);
		open_files(count);
	} else if (!strcmp(verb, "write") && argc > 3) {
		write_blocks(count, (size_t)number(argv[3]));
	} else if (!strcmp(verb, "call")) {
		for (long i = 0; i < count; i++)
			traced_function(i);
	} else if (!strcmp(verb, "fork")) {
		if (fork() == 0) {
			open_files(count);
			_exit(0);
		}
		wait(NULL);
	} else if (!strcmp(verb, "kill")) {
		return kill((pid_t)count, SIGTERM) ? 1 : 0;
	} else if (!strcmp(verb, "forever")) {
		signal(SIGTERM, leave);
		for (;;) {
			open_files(1);
			nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
		}
	} else {
		fprintf(stderr, "workload: what is %s?\n", verb);
		return 2;
	}
	return 0;
}
