// Values of many shapes, for tests of what is known of them.
#include "mma.h"

enum colour { RED, GREEN = 7 };
struct point {
    int x, y;
};
struct node {
    struct point at;
    const char *name;
    uint8_t tag[4];
    struct node *next;
    union {
        int number;
        float real;
    };
    unsigned low : 3;
    int high : 5;
    enum colour colour;
    _Bool on;
    char letter;
    double wide[2];
};

static struct node second = {{3, 4}, "second", {9, 8, 7, 6}, 0, {7}, 1, -2, RED, 0, 'b', {0.5, 1}};
static struct node first = {{1, -2}, "first", {1, 2, 3, 4}, &second, {5}, 5, -1, GREEN, 1, 'a', {1.25, -2}};

__attribute__((noinline)) static int area(struct node *n, struct point *corner) {
    struct point local = {n->at.x + 10, corner->y};
    corner->x += local.x;
    mma_logf("hi %d %d", local.x, n->next != 0);
    return local.x * corner->y + corner->x;
}

int main(void) {
    struct point c = {5, 6};
    int total = area(&first, &c) + area(&second, &c);
    mma_resultf("%d", total);
    return 0;
}
