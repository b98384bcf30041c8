// The kernel's link, CoAP server, loader and host calls on this computer, fed with damaged requests.
//
// The arena lies at an address below 4 GiB between two pages that nobody may touch. Reads a corpus (u16 length and
// bytes of each CoAP message) from a file, mutates messages from it, and sends them as frames, mostly with a right
// FCS, so that what is behind it is reached.
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "boards/board.h"
#include "chips/chip.h"
#include "kernel/auth.h"
#include "kernel/bytes.h"
#include "kernel/executor.h"
#include "kernel/kept.h"
#include "kernel/link.h"
#include "kernel/server.h"
#include "kernel/slip.h"

#define ARENA 0x20010000u
#define ARENA_SIZE 0x8000u
#define PAGE 0x10000u

const struct mma_run mma_arena = {ARENA, ARENA + ARENA_SIZE};
const uint8_t mma_board_pins[] = {0, 1, 2, 3};
const uint32_t mma_board_pin_count = 4;
const struct mma_board_sensor mma_board_sensors[] = {{"temp0", 0}};
const uint32_t mma_board_sensor_count = 1;


// One request in sixteen has no right to change anything.
static uint32_t draw(uint32_t below);
bool mma_proven(const struct mma_coap *request) {
    (void)request;
    return draw(16) != 0;
}
bool mma_key_is_open(void) { return true; }
void mma_key_id(uint8_t id[MMA_KEY_ID]) { memset(id, 1, MMA_KEY_ID); }
uint32_t mma_proof_counter(void) { return 0; }

static uint64_t now;
static uint32_t random_state;
static uint32_t frames, answers;

static uint32_t draw(uint32_t below) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return below ? random_state % below : 0;
}

// -- the hardware ------------------------------------------------------------------------------------------------

const char *mma_arch_isolation(void) { return "none"; }
void mma_arch_prepare(struct mma_context *context, uint32_t entry, const struct mma_run *stack) {
    (void)entry;
    context->sp = stack->high;
}
enum mma_leave mma_arch_enter(struct mma_context *context) {
    (void)context;
    return MMA_LEAVE_CALL;
}
bool mma_arch_call(const struct mma_context *context, const struct mma_run *part, struct mma_called *called) {
    (void)context;
    (void)part;
    static const uint32_t sharp[] = {0, 1, 4, 31, 32, 255, 256, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF};
    called->number = draw(8) ? draw(18) : draw(0x100);
    called->pc = 0;
    for (uint32_t i = 0; i < 4; i++) {
        called->argument[i] = draw(2) ? draw(600) : sharp[draw(sizeof sharp / sizeof *sharp)];
    }
    return draw(50) != 0;
}
void mma_arch_answer(struct mma_context *context, uint64_t value) {
    (void)context;
    (void)value;
}
void mma_arch_fault(const struct mma_context *context, const struct mma_run *stack, struct mma_fault *fault) {
    (void)context;
    (void)stack;
    memset(fault, 0, sizeof *fault);
}
uint32_t mma_arch_trace(const struct mma_context *context, const struct mma_run *stack, const struct mma_run *code,
                        uint32_t *addresses, uint32_t room) {
    (void)context;
    (void)code;
    for (uint32_t i = 0; i < room; i++) {
        addresses[i] = stack->low;
    }
    return room;
}
void mma_arch_protect(const struct mma_protection *protection) { (void)protection; }
void mma_arch_wake(void) {}
bool mma_arch_wake_pending(void) { return draw(4) == 0; }
void mma_arch_idle(void) {}
uint32_t mma_arch_lock(void) { return 0; }
void mma_arch_unlock(uint32_t before) { (void)before; }
uint32_t mma_stack_used(void) { return 0; }
uint64_t mma_time(void) { return now; }
uint32_t mma_cycles(void) { return (uint32_t)now * 100; }
uint32_t mma_cycles_per_us(void) { return 100; }
void mma_alarm(uint64_t time) { (void)time; }

uint32_t mma_chip_core_hz(void) { return 100000000; }
uint32_t mma_chip_entropy(void) { return 1; }
uint32_t mma_chip_unique_id(uint32_t words[MMA_UNIQUE_WORDS]) {
    words[0] = 7;
    return 1;
}
bool mma_chip_uart_drained(void) { return true; }
void mma_chip_uart_receive(void) {}
int mma_chip_gpio_mode(uint8_t pin, enum mma_gpio_mode mode) { return pin + (int)mode < 0; }
int mma_chip_gpio_write(uint8_t pin, bool level) { return pin + level < 0; }
int mma_chip_gpio_read(uint8_t pin) { return pin & 1; }
int mma_chip_sensor(uint8_t sensor, int32_t *value) {
    *value = 1;
    return sensor ? MMA_ERR_NOENT : 0;
}
uint32_t mma_kept_boots(void) { return 1; }
uint32_t mma_kept_cause(void) { return MMA_RESET_CRASH; }
const struct mma_crash *mma_kept_crash(int32_t *slot) {
    static const struct mma_crash crash = {3, 1, 2, 3, 4};
    *slot = -1;
    return &crash;
}
void mma_kept_restart(void) { exit(3); }

// What the device sends: every frame must be sound.
void mma_chip_uart_send(void) {
    static uint8_t bytes[2048];
    static struct mma_slip_in in = {.frame = bytes, .room = sizeof bytes};
    int byte;
    while ((byte = mma_link_next()) >= 0) {
        int length = mma_slip_put(&in, (uint8_t)byte);
        if (length < 0 || (length > 0 && bytes[0] != MMA_MARK_TEXT &&
                           (bytes[0] != MMA_MARK_COAP || mma_fcs16(MMA_FCS_START, bytes, (uint32_t)length) != MMA_FCS_GOOD))) {
            fprintf(stderr, "the device sent a broken frame\n");
            abort();
        }
        if (length > 0) {
            struct mma_coap message;
            if (!mma_coap_parse(bytes + 1, (uint32_t)length - 3, &message) || length > 1 + MMA_HEAD + MMA_BLOCK + 2) {
                fprintf(stderr, "the device sent what is no CoAP message\n");
                abort();
            }
            answers++;
        }
    }
}

// -- what must always hold ---------------------------------------------------------------------------------------

static void check(void) {
    for (uint32_t i = 0; i < MMA_SLOTS; i++) {
        const struct mma_place *one = &mma_executors[i].place;
        if (mma_executors[i].state == MMA_FREE ? one->used != 0 : one->used == 0) {
            fprintf(stderr, "slot %u: state %u, %u bytes\n", i, mma_executors[i].state, one->used);
            abort();
        }
        if (one->used && (one->base < mma_arena.low || one->base + one->used > mma_arena.high)) {
            fprintf(stderr, "slot %u leaves the arena\n", i);
            abort();
        }
        for (uint32_t j = 0; j < i; j++) {
            const struct mma_place *other = &mma_executors[j].place;
            if (one->used && other->used && one->base < other->base + other->used && other->base < one->base + one->used) {
                fprintf(stderr, "slots %u and %u overlap\n", i, j);
                abort();
            }
        }
    }
}

static void put(uint8_t byte) {
    mma_link_receive(byte);
    if (draw(32) == 0) {
        now += draw(1000);
        mma_server_poll(now);
    }
}

static void send(uint8_t *frame, uint32_t length, bool sound) {
    struct mma_slip_out out;
    int byte;
    if (sound) {
        length = mma_link_seal(frame, length);
    }
    mma_slip_start(&out, frame, (uint16_t)length);
    while ((byte = mma_slip_next(&out)) >= 0) {
        if (sound || draw(200)) {
            put((uint8_t)byte);
        }
        while (mma_server_poll(now), draw(3) == 0) {
            now += 100;
        }
    }
    mma_server_poll(now);
    frames++;
}

static uint32_t mutate(uint8_t *message, uint32_t length, uint32_t room) {
    for (uint32_t n = draw(4); n > 0; n--) {
        uint32_t at = draw(length + 1);
        switch (draw(6)) {
        case 0:
            length = at > 4 ? at : length; // cut
            break;
        case 1:
            if (length < room) { // insert
                memmove(message + at + 1, message + at, length - at);
                message[at] = (uint8_t)draw(256);
                length++;
            }
            break;
        case 2:
            if (at < length) { // one bit
                message[at] ^= (uint8_t)(1u << draw(8));
            }
            break;
        case 3:
            if (at < length) {
                message[at] = draw(2) ? 0xFF : (uint8_t)draw(256);
            }
            break;
        case 4:
            if (length + 32 < room) { // repeat a part
                uint32_t part = draw(32);
                part = part < length - (at < length ? at : length) ? part : 0;
                memmove(message + at + part, message + at, length - at);
                length += part;
            }
            break;
        default:
            break;
        }
    }
    return length;
}

int main(int count, char **arguments) {
    static uint8_t corpus[1 << 18];
    if (count != 4) {
        return 2;
    }
    FILE *file = fopen(arguments[1], "rb");
    size_t size = file ? fread(corpus, 1, sizeof corpus, file) : 0;
    random_state = (uint32_t)atoi(arguments[2]) * 2654435761u | 1;
    void *low = (void *)(uintptr_t)(ARENA - PAGE);
    if (!size || mmap(low, ARENA_SIZE + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != low ||
        mprotect((void *)(uintptr_t)ARENA, ARENA_SIZE, PROT_READ | PROT_WRITE)) {
        perror("set-up");
        return 2;
    }
    uint32_t offsets[4096], messages = 0;
    for (size_t at = 0; at + 2 <= size && messages < 4096; at += 2u + corpus[at] + corpus[at + 1] * 256u) {
        offsets[messages++] = (uint32_t)at;
    }
    uint32_t next = 0;
    for (int i = atoi(arguments[3]); i > 0; i--) {
        uint8_t frame[2048] = {MMA_MARK_COAP};
        next = draw(4) ? (next + 1) % messages : draw(messages); // mostly in order, as a gateway would
        const uint8_t *from = corpus + offsets[next];
        uint32_t length = from[0] + from[1] * 256u;
        memcpy(frame + 1, from + 2, length);
        if (draw(3) == 0) {
            length = mutate(frame + 1, length, sizeof frame - 64);
        }
        send(frame, 1 + length, draw(10) != 0);
        mma_scheduler_run(now + 10);
        now += draw(2000);
        check();
    }
    printf("%u frames, %u answers, %u lost bytes, %u bad FCS, %u bad frames\n", frames, answers,
           mma_link_counts.lost_bytes, mma_link_counts.bad_fcs, mma_link_counts.bad_frames);
    return 0;
}
