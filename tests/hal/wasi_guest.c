// Calls all of WASI that targets have and says what was wrong by its exit status: 0x40 + the check that failed.
#include "mma.h"

#define WASI(name) __attribute__((import_module("wasi_snapshot_preview1"), import_name(#name))) int name
WASI(args_get)(char **pointers, char *to);
WASI(args_sizes_get)(unsigned *count, unsigned *bytes);
WASI(environ_get)(char **pointers, char *to);
WASI(environ_sizes_get)(unsigned *count, unsigned *bytes);
WASI(clock_res_get)(int clock, uint64_t *to);
WASI(clock_time_get)(int clock, uint64_t precision, uint64_t *to);
WASI(fd_close)(int descriptor);
WASI(fd_fdstat_get)(int descriptor, void *to);
WASI(fd_fdstat_set_flags)(int descriptor, int flags);
WASI(fd_prestat_dir_name)(int descriptor, char *to, unsigned size);
WASI(fd_prestat_get)(int descriptor, void *to);
WASI(fd_read)(int descriptor, const void *parts, unsigned count, unsigned *read);
WASI(fd_seek)(int descriptor, int64_t offset, int whence, uint64_t *to);
WASI(fd_write)(int descriptor, const void *parts, unsigned count, unsigned *written);
WASI(path_open)(int, int, const char *, unsigned, int, uint64_t, uint64_t, int, int *);
WASI(poll_oneoff)(const void *in, void *out, unsigned count, unsigned *events);
WASI(random_get)(void *to, unsigned count);
WASI(sched_yield)(void);
__attribute__((import_module("wasi_snapshot_preview1"), import_name("proc_exit"), noreturn)) void proc_exit(int status);

struct part {
    const void *data;
    unsigned size;
};
struct subscription {
    uint64_t user;
    uint8_t tag;
    _Alignas(8) uint32_t clock;
    uint64_t timeout, precision;
    uint16_t flags;
};
struct event {
    uint64_t user;
    uint16_t error;
    uint8_t type;
    uint64_t bytes;
    uint16_t flags;
};
_Static_assert(sizeof(struct subscription) == 48 && sizeof(struct event) == 32, "as WASI has them");

#define CHECK(condition)                                                                                     \
    if (!(condition)) proc_exit(0x40 + __COUNTER__)

static unsigned size_of(const char *text) {
    unsigned size = 0;
    while (text[size]) size++;
    return size;
}

static void say(const char *text) {
    struct part part = {text, size_of(text)};
    unsigned written = 0;
    if (fd_write(1, &part, 1, &written) || written != part.size) proc_exit(0x3F);
}

static char arguments[64], *pointers[4];
static struct event events[2];

int main(void) {
    say("one\ntwo\n");
    say("th"), say("ree"), say("\n");
    struct part both[] = {{"fo", 2}, {"ur\n\nsi", 6}};
    unsigned number = 0, bytes = 0;
    CHECK(fd_write(2, both, 2, &number) == 0 && number == 8);
    say("x\n");
    for (int i = 0; i < 30; i++) say("0123456789");
    say("\n");
    CHECK(fd_write(3, both, 1, &number) == 8);
    CHECK(fd_write(1, (void *)0x7FFFFFF0, 1, &number) == 21);
    CHECK(fd_write(1, both, 0x20000001, &number) == 21);
    CHECK(fd_write(1, both, 1, (void *)-2) == 21);
    struct part outside = {(void *)0xFFFFFFF0, 32};
    CHECK(fd_write(1, &outside, 1, &number) == 21);

    CHECK(args_sizes_get(&number, &bytes) == 0 && number == 3 && bytes == 5 + 4 + 1);
    CHECK(args_get(pointers, arguments) == 0);
    for (unsigned i = 0; i < number; i++) say(pointers[i]), say("|");
    say("\n");
    CHECK(args_get(pointers, (char *)-4) == 21);
    CHECK(args_get((char **)0xFFFFFFF8, arguments) == 21);
    CHECK(environ_sizes_get(&number, &bytes) == 0 && number == 0 && bytes == 0);
    CHECK(environ_get(pointers, arguments) == 0);

    unsigned char stat[24];
    CHECK(fd_fdstat_get(1, stat) == 0 && stat[0] == 2 && fd_fdstat_get(9, stat) == 8);
    CHECK(fd_fdstat_get(1, (void *)-8) == 21);
    CHECK(fd_fdstat_set_flags(1, 4) == 0 && fd_close(0) == 0 && fd_close(3) == 8 && fd_close(-1) == 8);
    CHECK(fd_prestat_get(3, stat) == 8 && fd_prestat_dir_name(3, arguments, 9) == 8);
    uint64_t at = 0, later = 0;
    CHECK(fd_seek(1, 0, 0, &at) == 70 && fd_seek(4, 0, 0, &at) == 8);
    CHECK(fd_read(0, both, 1, &number) == 0 && number == 0 && fd_read(5, both, 1, &number) == 8);
    int opened;
    CHECK(path_open(3, 0, "x", 1, 0, 0, 0, 0, &opened) == 52);

    CHECK(clock_res_get(1, &at) == 0 && at == 1000 && clock_res_get(7, &at) == 28);
    CHECK(clock_time_get(1, 0, &at) == 0 && clock_time_get(9, 0, &later) == 28);
    struct subscription asked[2] = {{.user = 7, .clock = 1, .timeout = 3000000}, {.user = 8, .clock = 1, .timeout = ~0ull}};
    CHECK(poll_oneoff(asked, events, 2, &number) == 0 && number == 1);
    CHECK(events[0].user == 7 && events[0].error == 0 && events[0].type == 0);
    CHECK(clock_time_get(0, 0, &later) == 0 && later - at >= 3000000);
    asked[1].tag = 1;  // a descriptor to read from
    CHECK(poll_oneoff(asked, events, 2, &number) == 0 && number == 1);
    CHECK(events[0].user == 8 && events[0].error == 58 && events[0].type == 1);
    asked[0].flags = 1;  // a time that has passed
    asked[0].timeout = at;
    CHECK(poll_oneoff(asked, events, 1, &number) == 0 && number == 1 && events[0].user == 7);
    CHECK(poll_oneoff(asked, events, 0, &number) == 28);
    CHECK(poll_oneoff(asked, events, 0x10000000, &number) == 21);
    CHECK(sched_yield() == 0);

    unsigned char chance[8] = {0};
    unsigned set = 0;
    CHECK(random_get(chance, 8) == 0 && random_get(chance, 0) == 0 && random_get((void *)-4, 8) == 21);
    for (int i = 0; i < 8; i++) set |= chance[i];
    CHECK(set);
    say("unfinished");
    proc_exit(0);
}
