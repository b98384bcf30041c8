// The kernel's one thread: serve the line, then let executors run until there is something to serve again.
#include "arch/arch.h"
#include "chips/chip.h"
#include "kernel/auth.h"
#include "kernel/cbor.h"
#include "kernel/executor.h"
#include "kernel/kept.h"
#include "kernel/pins.h"
#include "kernel/server.h"

// The linker's (arch/link.ld): all RAM that nothing else takes.
extern uint8_t mma_arena_low[], mma_arena_high[];
const struct mma_run mma_arena = {(uint32_t)(uintptr_t)mma_arena_low, (uint32_t)(uintptr_t)mma_arena_high};

static void text_number(struct mma_out *out, uint32_t value) {
    char digits[10];
    uint32_t count = 0;
    do {
        digits[sizeof digits - ++count] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    mma_out_bytes(out, digits + sizeof digits - count, count);
}

__attribute__((noinline)) static void greet(void) { // its line is on the stack only once
    static const char *const causes[] = {"power", "pin", "software", "watchdog", "kernel crash", "brown-out"};
    uint8_t line[112];
    struct mma_out out = {.to = line, .room = sizeof line};
    mma_out_text(&out, "mma " MMA_VERSION " " MMA_BOARD ": ");
    text_number(&out, mma_arena.high - mma_arena.low);
    mma_out_text(&out, " bytes for executors, isolation ");
    mma_out_text(&out, mma_arch_isolation());
    mma_out_text(&out, ", reset by ");
    mma_out_text(&out, causes[mma_kept_cause()]);
    mma_out_text(&out, mma_key_is_open() ? ", development key\n" : "\n");
    mma_server_text((const char *)line, out.total < sizeof line ? out.total : sizeof line);
}

_Noreturn void mma_main(void) {
    (void)mma_arch_lock();
    mma_chip_init();
    mma_arch_init();
    mma_kept_boot();
    mma_pins_boot();
    mma_arch_unlock(0);
    greet();
    for (;;) {
        mma_chip_watchdog_feed();
        mma_kept_alive();
        (void)mma_arch_woken();
        mma_scheduler_run(mma_server_poll(mma_time()));
    }
}
