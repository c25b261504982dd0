// Functions that are given structs: in registers, on the stack, or by an address that takes a register.
struct pair { int left, right; };
struct wide { long first; int second; };
struct large { long a, b, c, d; };
struct mixed { double weight; int count; };

#define KEPT __attribute__((noipa))

KEPT int give_pair(struct pair it, int next) { return it.left + next; }
KEPT int give_wide(int before, struct wide it, int next) { return before + it.second + next; }
KEPT int give_large(int before, struct large it, int next) { return before + it.c + next; }
KEPT int give_mixed(struct mixed it, int next) { return it.count + next; }
KEPT int give_double(double weight, int next) { return weight + next; }
KEPT int give_many(int a, int b, int c, int d, int e, struct wide it, int f, int g) { return a + b + c + d + e + f + g; }
KEPT struct large take_large(int before) { return (struct large){before, 0, 0, 0}; }

int main(void) {
  volatile int sink = 0;
  sink += give_pair((struct pair){1, -2}, 3);
  sink += give_wide(4, (struct wide){5, 6}, 7);
  sink += give_large(8, (struct large){9, 10, 11, 12}, 13);
  sink += give_mixed((struct mixed){1.5, 14}, 15);
  sink += give_double(2.5, 16);
  sink += give_many(1, 2, 3, 4, 5, (struct wide){17, 18}, 6, 19);
  sink += take_large(20).a;
  return 0;
}
