// Linear memory: bounds, loads and stores, size and growth.
#ifndef MMA_MEMORY_H
#define MMA_MEMORY_H

void *memcpy(void *to, const void *from, __SIZE_TYPE__ count);
void *memmove(void *to, const void *from, __SIZE_TYPE__ count);
void *memset(void *to, int value, __SIZE_TYPE__ count);

// MMA_LIMIT is how many bytes the guest may use now. Memory that is declared to the byte and never grows is
// given whole, so clang knows it; else it is a constant of the linker, or a variable if it can grow.
#if MMA_PAGE == 1 && !MMA_GROWS
#define MMA_LIMIT ((u32)MMA_DECLARED)
#define MMA_MEMORY_SIZE() ((u32)MMA_DECLARED)
#elif MMA_GROWS
static uptr mma_limit = (uptr)mma_initial_bytes;
static u32 mma_pages = (u32)(MMA_DECLARED / MMA_PAGE);
#define MMA_LIMIT ((u32)mma_limit)
#define MMA_MEMORY_SIZE() mma_pages
#else
#define MMA_LIMIT MMA_NUMBER(mma_initial_bytes)
#define MMA_MEMORY_SIZE() ((u32)(MMA_DECLARED / MMA_PAGE))
#endif

// The access ends outside. Inside of what the module declares, it is the task's budget that was too small.
// (Where memory is declared to the byte, the slot has all of it.)
#define MMA_TRAP_ACCESS(address, end)                                                                        \
    do {                                                                                                     \
        if (MMA_PAGE > 1 && (u64)(address) + (end) <= MMA_DECLARED) MMA_TRAP(BUDGET);                        \
        MMA_TRAP(MEMORY);                                                                                    \
    } while (0)

// Whether address + end > MMA_LIMIT, for an `end` within MMA_LEAST. The first compare is one with a constant
// that clang knows: it leaves out the whole where the address provably lies below, as in most loops over arrays
// of fixed size.
#define MMA_OUTSIDE(address, end)                                                                            \
    (MMA_UNLIKELY((address) > MMA_LEAST - (end)) && (address) > MMA_LIMIT - (end))

// Traps then.
#define MMA_CHECK(address, end)                                                                              \
    do {                                                                                                     \
        if (MMA_OUTSIDE(address, end)) MMA_TRAP_ACCESS(address, end);                                        \
    } while (0)

// Whether base + index may end outside: where it says no it does not. `base` stays the same in the loop around,
// so the indices that end inside are counted before it, and none of those wraps around.
#define MMA_INDICES(base, end)                                                                               \
    ((base) < MMA_LIMIT - (end) + 1 ? MMA_LIMIT - (end) + 1 - (base) : 0)
#define MMA_PAST(base, index, end) MMA_UNLIKELY((index) >= MMA_INDICES(base, end))

// The same for base + (index << shift).
#define MMA_PAST_SCALED(base, index, shift, end)                                                             \
    MMA_UNLIKELY((index) >= (MMA_INDICES(base, end) + (1u << (shift)) - 1) >> (shift))
#define MMA_CHECK_SCALED(base, index, shift, end)                                                            \
    do {                                                                                                     \
        u32 again = index;                                                                                   \
        __asm__("" : "+r"(again));                                                                           \
        MMA_CHECK((base) + (again << (shift)), end);                                                         \
    } while (0)

// MMA_CHECK for any `end`, up to 2^32 + 7.
#define MMA_CHECK_FAR(address, end)                                                                          \
    do {                                                                                                     \
        if (MMA_UNLIKELY((u64)(address) + (end) > MMA_LIMIT)) MMA_TRAP_ACCESS(address, end);                 \
    } while (0)

// Where linear memory begins, in a register: clang would rather spell the symbol and an offset at each access.
MMA_INLINE u8 *mma_base(void) {
    u8 *base;
    __asm__("" : "=r"(base) : "0"(mma_memory));
    return base;
}

// A place in it whose address is a sum that may wrap around. Where it is as wide as a pointer, the first part
// can be added to the base before a loop that it stays the same in.
#if __SIZEOF_POINTER__ == 4
#define MMA_PLACE(base, index) ((uptr)mma_base() + (base) + (index))
#else
#define MMA_PLACE(base, index) ((uptr)mma_base() + (u32)((base) + (index)))
#endif

// One access each, checked before. WASM lets every address be unaligned: some CPUs don't.
// (MMA_STRICT_ALIGNMENT lets tests on another CPU take their part.)
#if (defined(__ARM_FEATURE_UNALIGNED) || defined(__x86_64__)) && !defined(MMA_STRICT_ALIGNMENT)
#define MMA_ACCESS(type, bits)                                                                               \
    struct __attribute__((packed, may_alias)) mma_##type {                                                   \
        type value;                                                                                          \
    };                                                                                                       \
    MMA_INLINE type mma_load_##type(u32 address, u32 offset) {                                               \
        return ((const struct mma_##type *)(mma_base() + (uptr)address + (uptr)offset))->value;              \
    }                                                                                                        \
    MMA_INLINE void mma_store_##type(u32 address, u32 offset, type value) {                                  \
        ((struct mma_##type *)(mma_base() + (uptr)address + (uptr)offset))->value = value;                   \
    }                                                                                                        \
    MMA_INLINE type mma_load_sum_##type(u32 base, u32 index) {                                               \
        return ((const struct mma_##type *)MMA_PLACE(base, index))->value;                                   \
    }                                                                                                        \
    MMA_INLINE void mma_store_sum_##type(u32 base, u32 index, type value) {                                  \
        ((struct mma_##type *)MMA_PLACE(base, index))->value = value;                                        \
    }
#else
u32 mma_unaligned_u16(const u8 *from);
u32 mma_unaligned_u32(const u8 *from);
u64 mma_unaligned_u64(const u8 *from);
void mma_unaligned_store_u16(u8 *to, u32 value);
void mma_unaligned_store_u32(u8 *to, u32 value);
void mma_unaligned_store_u64(u8 *to, u64 value);
#define mma_unaligned_u8(from) *(from)
#define mma_unaligned_store_u8(to, value) (void)(*(to) = (u8)(value))

// Words are aligned to at most 4 on these CPUs: they have no wider accesses.
#define MMA_ACCESS(type, bits)                                                                               \
    typedef type __attribute__((may_alias, aligned(sizeof(type) < 4 ? sizeof(type) : 4))) mma_##type;        \
    MMA_INLINE type mma_load_##type(u32 address, u32 offset) {                                               \
        const u8 *from = mma_base() + address + offset;                                                      \
        if (__builtin_expect(((address + offset) & ((sizeof(type) < 4 ? sizeof(type) : 4) - 1)) == 0, 1))    \
            return *(const mma_##type *)from;                                                                \
        union {                                                                                              \
            bits in;                                                                                         \
            type out;                                                                                        \
        } value = {.in = (bits)mma_unaligned_##bits(from)};                                                  \
        return value.out;                                                                                    \
    }                                                                                                        \
    MMA_INLINE void mma_store_##type(u32 address, u32 offset, type wanted) {                                 \
        u8 *to = mma_base() + address + offset;                                                              \
        if (__builtin_expect(((address + offset) & ((sizeof(type) < 4 ? sizeof(type) : 4) - 1)) == 0, 1)) {  \
            *(mma_##type *)to = wanted;                                                                      \
            return;                                                                                          \
        }                                                                                                    \
        union {                                                                                              \
            type in;                                                                                         \
            bits out;                                                                                        \
        } value = {.in = wanted};                                                                            \
        mma_unaligned_store_##bits(to, value.out);                                                           \
    }                                                                                                        \
    MMA_INLINE type mma_load_sum_##type(u32 base, u32 index) { return mma_load_##type(base + index, 0); }    \
    MMA_INLINE void mma_store_sum_##type(u32 base, u32 index, type value) {                                  \
        mma_store_##type(base + index, 0, value);                                                            \
    }
#endif

MMA_ACCESS(u8, u8)
MMA_ACCESS(s8, u8)
MMA_ACCESS(u16, u16)
MMA_ACCESS(s16, u16)
MMA_ACCESS(u32, u32)
MMA_ACCESS(s32, u32)
MMA_ACCESS(u64, u64)
#if MMA_FLOATS
MMA_ACCESS(float, u32)
MMA_ACCESS(double, u64)
#endif

#define MMA_LOAD(type, address, offset) mma_load_##type(address, offset)
#define MMA_STORE(type, address, offset, value) mma_store_##type(address, offset, (type)(value))
#define MMA_LOAD_SUM(type, base, index) mma_load_sum_##type(base, index)
#define MMA_STORE_SUM(type, base, index, value) mma_store_sum_##type(base, index, (type)(value))

// -- bulk memory -------------------------------------------------------------------------------------

MMA_INLINE void mma_range(u32 address, u32 count) {
    MMA_CHECK_FAR(address, count);
}

MMA_INLINE void mma_memory_fill(u32 to, u32 value, u32 count) {
    mma_range(to, count);
    memset(mma_memory + to, (u8)value, count);
}

MMA_INLINE void mma_memory_copy(u32 to, u32 from, u32 count) {
    mma_range(from, count);
    mma_range(to, count);
    memmove(mma_memory + to, mma_memory + from, count);
}

MMA_INLINE void mma_memory_init(u32 to, u32 from, u32 count, const u8 *segment, u32 bytes) {
    if ((u64)from + count > bytes) MMA_TRAP(MEMORY);
    mma_range(to, count);
    memcpy(mma_memory + to, segment + from, count);
}

#if MMA_GROWS
// Grows by whole pages within the slot, or answers -1. What it adds is zero: nothing wrote there.
static u32 mma_memory_grow(u32 pages) {
    u32 old = mma_pages;
    u64 bytes = ((u64)old + pages) * MMA_PAGE;
    if (pages == 0) return old;
    if (bytes > MMA_MAXIMUM || bytes > MMA_NUMBER(mma_linear_bytes)) return (u32)-1;
    mma_pages = old + pages;
    mma_limit = (uptr)bytes;
    mma_call_32(MMA_CALL_MEMORY_SIZE, (u32)bytes, 0, 0);
    return old;
}
#define MMA_MEMORY_GROW(pages) mma_memory_grow(pages)
#endif

#endif
