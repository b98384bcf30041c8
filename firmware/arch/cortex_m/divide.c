// Arithmetic that ARMv6-M has no instructions for, under the names of the Arm EABI (run-time ABI, section 4.2 and
// 4.3). The kernel divides seldom: small rather than fast.
#include "kernel/bytes.h"

#if __ARM_ARCH == 6

// The quotient in the low word, the remainder in the high one: as r0 and r1 they are the EABI's pair.
uint64_t __aeabi_uidivmod(uint32_t value, uint32_t by) {
    uint32_t quotient = 0, rest = 0;
    for (uint32_t bit = 1u << 31; bit; bit >>= 1) {
        bool carry = rest >> 31;
        rest = rest << 1 | (value & bit ? 1 : 0);
        if (carry || rest >= by) {
            rest -= by;
            quotient |= bit;
        }
    }
    return quotient | (uint64_t)rest << 32;
}

uint32_t __aeabi_uidiv(uint32_t value, uint32_t by) { return (uint32_t)__aeabi_uidivmod(value, by); }

static uint32_t negated_if(bool negative, uint32_t value) { return negative ? 0 - value : value; }

int32_t __aeabi_idiv(int32_t value, int32_t by) {
    uint32_t quotient = __aeabi_uidiv(negated_if(value < 0, (uint32_t)value), negated_if(by < 0, (uint32_t)by));
    return (int32_t)negated_if((value < 0) != (by < 0), quotient);
}

// By 16-bit halves: the core multiplies 32 by 32 bits to the low 32.
uint64_t __aeabi_lmul(uint64_t a, uint64_t b) {
    uint32_t a0 = (uint32_t)a, b0 = (uint32_t)b;
    uint32_t low = (a0 & 0xFFFF) * (b0 & 0xFFFF), high = (a0 >> 16) * (b0 >> 16);
    uint32_t one = (a0 >> 16) * (b0 & 0xFFFF), two = (a0 & 0xFFFF) * (b0 >> 16);
    uint32_t middle = (low >> 16) + (one & 0xFFFF) + (two & 0xFFFF);
    high += (one >> 16) + (two >> 16) + (middle >> 16);
    high += a0 * (uint32_t)(b >> 32) + (uint32_t)(a >> 32) * b0;
    return (low & 0xFFFF) | middle << 16 | (uint64_t)high << 32;
}

// By fewer than 64.
uint64_t __aeabi_llsl(uint64_t value, uint32_t by) {
    uint32_t low = (uint32_t)value, high = (uint32_t)(value >> 32);
    if (by >= 32) {
        return (uint64_t)(low << (by - 32)) << 32;
    }
    return by ? low << by | (uint64_t)(high << by | low >> (32 - by)) << 32 : value;
}

uint64_t __aeabi_llsr(uint64_t value, uint32_t by) {
    uint32_t low = (uint32_t)value, high = (uint32_t)(value >> 32);
    if (by >= 32) {
        return high >> (by - 32);
    }
    return by ? (low >> by | high << (32 - by)) | (uint64_t)(high >> by) << 32 : value;
}

#endif
