// Which MPU regions cover a slot. Pure arithmetic, so that the tests can try it against every address.
//
// A region of 2^n bytes lies on a multiple of its size and has eight subregions that can be left out. So one
// region gives any run within it that begins and ends on multiples of 2^(n-3); several give finer ends.
// ARMv7-M Architecture Reference Manual, B3.5.
#include "arch/arch.h"

#if MMA_MPU

#define SMALLEST 8 // regions below 256 bytes have no subregions
#define LARGEST 24
#define CODE 0x80
#define EMULATOR_PAGE 1024

// Cover [low, high), from the low end, each time with the region that reaches furthest. Gives the number of regions
// used in all, or -1.
static int cover(struct mma_protection *protection, int used, const struct mma_run *run, uint8_t kind) {
    uint32_t low = run->low;
    while (low < run->high) {
        uint32_t reached = low;
        uint32_t size = 0;
        for (uint32_t n = SMALLEST; n <= LARGEST; n++) {
            uint32_t step = 1u << (n - 3);
            if (low & (step - 1)) {
                break;
            }
            uint32_t end = (low & ~((1u << n) - 1)) + (1u << n);
            uint32_t high = run->high & ~(step - 1);
            end = end < high ? end : high;
            if (end > reached) {
                reached = end;
                size = n;
            }
        }
        if (!size || used == MMA_REGIONS) {
            return -1;
        }
        uint32_t base = low & ~((1u << size) - 1);
        uint32_t first = (low - base) >> (size - 3), past = (reached - base) >> (size - 3);
        uint32_t wanted = (0xFFu << first & 0xFFu) & ~(0xFFu << past);
        protection->where[used] = base | (~wanted & 0xFF);
        protection->what[used] = (uint8_t)(size | kind);
        used++;
        low = reached;
    }
    return used;
}

// Cover data up to a multiple of `step` past its end.
static bool cover_data(struct mma_protection *protection, int used, const struct mma_run *data, uint32_t slack,
                       uint32_t step) {
    struct mma_run reach = {data->low, (data->high + step - 1) & ~(step - 1)};
    if (reach.high < data->high || reach.high - data->high > slack) {
        return false;
    }
    used = cover(protection, used, &reach, 0);
    if (used < 0) {
        return false;
    }
    for (; used < MMA_REGIONS; used++) {
        protection->what[used] = 0;
    }
    return true;
}

bool mma_arch_plan(struct mma_protection *protection, const struct mma_run *code, const struct mma_run *data,
                   uint32_t slack) {
    int used = cover(protection, 0, code, CODE);
    if (used < 0) {
        return false;
    }
    // QEMU takes a hundred times longer over data in a page that is admitted only in part: so the page's end first,
    // if the slack reaches that far. Then the exact end, then coarser ones.
    if (cover_data(protection, used, data, slack, EMULATOR_PAGE)) {
        return true;
    }
    for (uint32_t step = MMA_ALIGN; step <= 1u << LARGEST; step <<= 1) {
        if (cover_data(protection, used, data, slack, step)) {
            return true;
        }
    }
    return false;
}

#endif
