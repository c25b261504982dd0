/* A chain of calls without frame pointers: only call frame information tells who called whom. */
#define FRAMELESS __attribute__((noinline, optimize("omit-frame-pointer")))

static volatile int depth;

FRAMELESS void bottom(void)
{
  depth++;
}

FRAMELESS void middle(int more)
{
  volatile char room[200];

  room[more] = 1;
  bottom();
  depth += room[more];
}

FRAMELESS void top(void)
{
  middle(3);
  depth--;
}

FRAMELESS int main(void)
{
  top();
  return depth == 12345;
}
