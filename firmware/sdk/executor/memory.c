// Copies and fills, and accesses that the CPU itself can't do. Compiled once a machine; only what an
// executor uses is linked into it. Small rather than fast: it is in every tenant's bytes.

typedef __SIZE_TYPE__ size;
typedef __UINT8_TYPE__ u8;
typedef __UINT32_TYPE__ u32;
typedef __UINT64_TYPE__ u64;
typedef u32 __attribute__((may_alias)) word;

#define MMA_ALIGNED(a, b) ((((__UINTPTR_TYPE__)(a) | (__UINTPTR_TYPE__)(b)) & 3) == 0)

void *memcpy(void *restrict to, const void *restrict from, size count) {
    u8 *out = to;
    const u8 *in = from;
    if (MMA_ALIGNED(out, in)) {
        for (; count >= 4; count -= 4, out += 4, in += 4) *(word *)out = *(const word *)in;
    }
    while (count--) *out++ = *in++;
    return to;
}

void *memmove(void *to, const void *from, size count) {
    u8 *out = to;
    const u8 *in = from;
    if ((__UINTPTR_TYPE__)out - (__UINTPTR_TYPE__)in >= count) return memcpy(to, from, count);  // forward is safe
    while (count--) out[count] = in[count];
    return to;
}

void *memset(void *to, int value, size count) {
    u8 *out = to;
    u32 four = (u8)value * 0x01010101u;
    for (; count && ((__UINTPTR_TYPE__)out & 3); count--) *out++ = (u8)value;
    for (; count >= 4; count -= 4, out += 4) *(word *)out = four;
    while (count--) *out++ = (u8)value;
    return to;
}

u32 mma_unaligned_u16(const u8 *from) {
    return from[0] | (u32)from[1] << 8;
}

u32 mma_unaligned_u32(const u8 *from) {
    return from[0] | (u32)from[1] << 8 | (u32)from[2] << 16 | (u32)from[3] << 24;
}

u64 mma_unaligned_u64(const u8 *from) {
    return mma_unaligned_u32(from) | (u64)mma_unaligned_u32(from + 4) << 32;
}

void mma_unaligned_store_u16(u8 *to, u32 value) {
    to[0] = (u8)value;
    to[1] = (u8)(value >> 8);
}

void mma_unaligned_store_u32(u8 *to, u32 value) {
    mma_unaligned_store_u16(to, value);
    mma_unaligned_store_u16(to + 2, value >> 16);
}

void mma_unaligned_store_u64(u8 *to, u64 value) {
    mma_unaligned_store_u32(to, (u32)value);
    mma_unaligned_store_u32(to + 4, (u32)(value >> 32));
}
