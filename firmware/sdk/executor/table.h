// Tables of references, and calls through them.
//
// A function reference is its place in mma_functions, which the translator writes, with the number of its
// type at the same place of mma_signatures; 0 is null.
#ifndef MMA_TABLE_H
#define MMA_TABLE_H

MMA_INLINE void mma_table_check(u32 index, u32 count, u32 elements) {
    if (MMA_UNLIKELY((u64)index + count > elements)) MMA_TRAP(TABLE);
}

MMA_INLINE void mma_signature_check(u32 given, u32 wanted) {
    if (MMA_UNLIKELY(given != wanted)) {
        if (given == 0) MMA_TRAP(NULL);
        MMA_TRAP(SIGNATURE);
    }
}

// The reference to call. `filled` elements are in the array, those after them are null.
#define mma_indirect(index, elements, filled, table, wanted)                                                 \
    __extension__({                                                                                          \
        mma_table_check(index, 1, elements);                                                                 \
        u32 reference = (index) < (filled) ? (table)[index] : 0;                                             \
        mma_signature_check(mma_signatures[reference], wanted);                                              \
        reference;                                                                                           \
    })

#define MMA_TABLE_FILL(table, elements, at, value, count)                                                    \
    do {                                                                                                     \
        mma_table_check(at, count, elements);                                                                \
        for (u32 n = 0; n < (count); n++) (table)[(at) + n] = (value);                                       \
    } while (0)

#define MMA_TABLE_COPY(to, to_elements, at, from, from_elements, start, count)                               \
    do {                                                                                                     \
        mma_table_check(start, count, from_elements);                                                        \
        mma_table_check(at, count, to_elements);                                                             \
        if ((at) <= (start)) {                                                                               \
            for (u32 n = 0; n < (count); n++) (to)[(at) + n] = (from)[(start) + n];                          \
        } else {                                                                                             \
            for (u32 n = (count); n > 0; n--) (to)[(at) + n - 1] = (from)[(start) + n - 1];                  \
        }                                                                                                    \
    } while (0)

#endif
