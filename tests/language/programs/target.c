/* A program to trace: functions with arguments of every width, structs, arrays, strings, nested calls.
 * `target [rounds]` calls each function once per round and ends. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct point {
  int x;
  int y;
};

struct inner {
  uint8_t tag;
  union {
    uint32_t word;
    uint8_t bytes[4];
  };
};

enum color { RED, GREEN = 5, BLUE };

struct mixed {
  char letter;
  short number;
  unsigned low : 3;
  unsigned middle : 5;
  int negative : 4;
  const char *name;
  char label[16];
  int grid[2][3];
  uint16_t list[4];
  struct point corner;
  struct point *next;
  struct inner in;
  enum color color;
  uint8_t mac[6];
  uint8_t address[16];
};

int counter = 42;
char greeting[] = "good day";

__attribute__((noinline)) int take_ints(int a, long b, unsigned char c, short d) { return a + (int)b + c + d; }
__attribute__((noinline)) int take_six(long a, long b, long c, long d, long e, long f) {
  return (int)(a + b + c + d + e + f);
}
__attribute__((noinline)) int take_eight(long a, long b, long c, long d, long e, long f, long g, long h) {
  return (int)(a + b + c + d + e + f + g + h);
}
__attribute__((noinline)) const char *take_string(const char *text, size_t length) { return text + length; }
__attribute__((noinline)) int take_point(struct point *p) { return p->x * p->y; }
struct bytes {
  uint8_t raw[3];
  char text[4];
};
__attribute__((noinline)) int take_label(const char *label, struct bytes *bytes) { return label[0] + bytes->raw[0]; }
__attribute__((noinline)) int take_mixed(struct mixed *m) { return m->letter; }
__attribute__((noinline)) int take_array(int *values, int count) { return values[count - 1]; }
__attribute__((noinline)) int take_pointers(char **argv) { return argv[0][0]; }
__attribute__((noinline)) int deepest(int n) { return n + counter; }
__attribute__((noinline)) int middle(int n) { return deepest(n + 1) + 1; }
__attribute__((noinline)) int outer(int n) { return middle(n + 1) + 1; }

int main(int argc, char **argv) {
  int rounds = argc > 1 ? atoi(argv[1]) : 1;
  struct point corner = {.x = 3, .y = -4};
  struct bytes bytes = {.raw = {1, 2, 3}, .text = "ab"};
  struct mixed m = {
      .letter = 'q', .number = -300, .low = 5, .middle = 17, .negative = -3, .name = "a name", .label = "a label",
      .grid = {{1, 2, 3}, {4, 5, 6}}, .list = {10, 20, 30, 40}, .corner = {7, 8}, .next = &corner,
      .in = {.tag = 9, .word = 0x01020304}, .color = GREEN, .mac = {2, 0, 0, 0xab, 0xcd, 0xef},
      .address = {0x20, 0x01, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};
  int values[] = {11, 22, 33, 44};
  char *words[] = {"one", "two", "three", NULL};
  volatile int sink = 0;
  for (int i = 0; i < rounds; i++) {
    sink += take_ints(-5, 1L << 40, 250, -7);
    sink += take_six(1, 2, 3, 4, 5, 6);
    sink += take_eight(1, 2, 3, 4, 5, 6, 77, 88);
    sink += *take_string("hello, target", 5);
    sink += take_point(&corner);
    sink += take_mixed(&m);
    sink += take_label("label", &bytes);
    sink += take_array(values, 4);
    sink += take_pointers(words);
    sink += outer(i);
  }
  return 0;
}
