// Numeric instructions where C means something else than WebAssembly (core specification 4.3).
//
// Integers: division traps, shifts and rotations wrap, counts of zero are defined. Floats: NaNs are quiet
// afterwards, minus zero is less than zero, conversions trap or saturate.
#ifndef MMA_NUMERIC_H
#define MMA_NUMERIC_H

#define MMA_INTEGER(bits, type, stype, smallest, suffix)                                                     \
    MMA_INLINE type mma_clz##bits(type a) {                                                                  \
        return a ? (type)__builtin_clz##suffix(a) : bits;                                                    \
    }                                                                                                        \
    MMA_INLINE type mma_ctz##bits(type a) {                                                                  \
        return a ? (type)__builtin_ctz##suffix(a) : bits;                                                    \
    }                                                                                                        \
    MMA_INLINE type mma_popcnt##bits(type a) {                                                               \
        return (type)__builtin_popcount##suffix(a);                                                          \
    }                                                                                                        \
    MMA_INLINE type mma_rotl##bits(type a, type b) {                                                         \
        return a << (b & (bits - 1)) | a >> (-b & (bits - 1));                                               \
    }                                                                                                        \
    MMA_INLINE type mma_rotr##bits(type a, type b) {                                                         \
        return a >> (b & (bits - 1)) | a << (-b & (bits - 1));                                               \
    }                                                                                                        \
    MMA_INLINE type mma_div_u##bits(type a, type b) {                                                        \
        if (MMA_UNLIKELY(b == 0)) MMA_TRAP(DIVIDE);                                                          \
        return a / b;                                                                                        \
    }                                                                                                        \
    MMA_INLINE type mma_rem_u##bits(type a, type b) {                                                        \
        if (MMA_UNLIKELY(b == 0)) MMA_TRAP(DIVIDE);                                                          \
        return a % b;                                                                                        \
    }                                                                                                        \
    MMA_INLINE type mma_div_s##bits(type a, type b) {                                                        \
        if (MMA_UNLIKELY(b == 0)) MMA_TRAP(DIVIDE);                                                          \
        if (MMA_UNLIKELY(a == smallest && b == (type)-1)) MMA_TRAP(OVERFLOW);                                \
        return (type)((stype)a / (stype)b);                                                                  \
    }                                                                                                        \
    MMA_INLINE type mma_rem_s##bits(type a, type b) {                                                        \
        if (MMA_UNLIKELY(b == 0)) MMA_TRAP(DIVIDE);                                                          \
        return b == (type)-1 ? 0 : (type)((stype)a % (stype)b);                                              \
    }

MMA_INTEGER(32, u32, s32, 0x80000000u, )
MMA_INTEGER(64, u64, s64, 0x8000000000000000ull, ll)

#if MMA_FLOATS

// -- floats by their bits ----------------------------------------------------------------------------

#define MMA_BITS(name, from, to)                                                                             \
    MMA_INLINE to name(from value) {                                                                         \
        union {                                                                                              \
            from in;                                                                                         \
            to out;                                                                                          \
        } cast = {value};                                                                                    \
        return cast.out;                                                                                     \
    }

MMA_BITS(mma_f32, u32, float)
MMA_BITS(mma_f64, u64, double)
MMA_BITS(mma_f32_from_i32, u32, float)
MMA_BITS(mma_f64_from_i64, u64, double)
MMA_BITS(mma_i32_from_f32, float, u32)
MMA_BITS(mma_i64_from_f64, double, u64)

// A value that the compiler can't see through: it takes x * 1 for x, though that leaves a signalling NaN so.
MMA_INLINE float mma_f32_opaque(u32 bits) {
    __asm__("" : "+r"(bits));
    return mma_f32(bits);
}

MMA_INLINE double mma_f64_opaque(u64 bits) {
    u32 high = (u32)(bits >> 32);
    __asm__("" : "+r"(high));
    return mma_f64((u64)high << 32 | (u32)bits);
}

// Which floats this CPU has no instructions for: functions of the compiler's runtime compute them.
#if defined(__arm__)
#if !defined(__ARM_FP) || !(__ARM_FP & 4)
#define MMA_SOFT_F32 1
#endif
#if !defined(__ARM_FP) || !(__ARM_FP & 8)
#define MMA_SOFT_F64 1
#endif
#elif defined(__riscv)
#if !defined(__riscv_flen) || __riscv_flen < 32
#define MMA_SOFT_F32 1
#endif
#if !defined(__riscv_flen) || __riscv_flen < 64
#define MMA_SOFT_F64 1
#endif
#endif

// Out of line, in float.c.
float mma_tiny_quotient_f32(float a, float b);
double mma_tiny_quotient_f64(double a, double b);
float mma_ceil_f32(float a);
float mma_floor_f32(float a);
float mma_trunc_f32(float a);
float mma_nearest_f32(float a);
double mma_ceil_f64(double a);
double mma_floor_f64(double a);
double mma_trunc_f64(double a);
double mma_nearest_f64(double a);
double mma_sqrt_f64(double a);
float mma_sqrt_soft_f32(float a);

MMA_INLINE float mma_sqrt_f32(float a) {
#if defined(__ARM_FP) && __ARM_FP & 4
    __asm__("vsqrt.f32 %0, %1" : "=t"(a) : "t"(a));
    return a;
#else
    return mma_sqrt_soft_f32(a);
#endif
}

#define MMA_FLOAT(kind, type, bits, ibits, sign)                                                             \
    MMA_INLINE type mma_abs_##kind(type a) {                                                                 \
        return mma_##kind(mma_##ibits##_from_##kind(a) & ~(sign));                                           \
    }                                                                                                        \
    MMA_INLINE type mma_neg_##kind(type a) {                                                                 \
        return mma_##kind(mma_##ibits##_from_##kind(a) ^ (sign));                                            \
    }                                                                                                        \
    MMA_INLINE type mma_copysign_##kind(type a, type b) {                                                    \
        bits from = mma_##ibits##_from_##kind(b) & (sign);                                                   \
        return mma_##kind((mma_##ibits##_from_##kind(a) & ~(sign)) | from);                                  \
    }                                                                                                        \
    MMA_INLINE type mma_min_##kind(type a, type b) {                                                         \
        if (a < b) return a;                                                                                 \
        if (b < a) return b;                                                                                 \
        if (a == b) return mma_##kind(mma_##ibits##_from_##kind(a) | mma_##ibits##_from_##kind(b));          \
        return a + b; /* one is NaN: the sum is a quiet one */                                               \
    }                                                                                                        \
    MMA_INLINE type mma_max_##kind(type a, type b) {                                                         \
        if (a > b) return a;                                                                                 \
        if (b > a) return b;                                                                                 \
        if (a == b) return mma_##kind(mma_##ibits##_from_##kind(a) & mma_##ibits##_from_##kind(b));          \
        return a + b;                                                                                        \
    }

MMA_FLOAT(f32, float, u32, i32, 0x80000000u)
MMA_FLOAT(f64, double, u64, i64, 0x8000000000000000ull)

// The runtime's division does not round subnormal quotients rightly: they are computed again. It may also miss
// that one rounds up to the smallest normal number.
MMA_INLINE float mma_div_f32(float a, float b) {
    float quotient = a / b;
#if MMA_SOFT_F32
    const u32 size = mma_i32_from_f32(quotient) & 0x7FFFFFFFu;
    if (MMA_UNLIKELY(size <= 0x00800000u && mma_i32_from_f32(a) << 1)) return mma_tiny_quotient_f32(a, b);
#endif
    return quotient;
}

MMA_INLINE double mma_div_f64(double a, double b) {
    double quotient = a / b;
#if MMA_SOFT_F64
    const u64 size = mma_i64_from_f64(quotient) & 0x7FFFFFFFFFFFFFFFull;
    if (MMA_UNLIKELY(size <= 0x0010000000000000ull && mma_i64_from_f64(a) << 1)) return mma_tiny_quotient_f64(a, b);
#endif
    return quotient;
}

MMA_INLINE double mma_promote(float a) {
#if MMA_SOFT_F64
    if (MMA_UNLIKELY(a != a)) return mma_f64(mma_i64_from_f64((double)a) | 0x0008000000000000ull);  // made quiet
#endif
    return (double)a;
}

MMA_INLINE float mma_demote(double a) {
    // opaque: (float)(double)x is x to the compiler
    return (float)mma_f64_opaque(mma_i64_from_f64(a));
}

// -- floats to integers ------------------------------------------------------------------------------

// `inside` says which floats have an integer of the type; every other number is an overflow.
#define MMA_TRUNCATE(name, from, to, cast, inside, least, most)                                              \
    MMA_INLINE to mma_##name(from a) {                                                                       \
        if (__builtin_expect(inside, 1)) return (to)(cast)a;                                                 \
        if (a != a) MMA_TRAP(CONVERSION);                                                                    \
        MMA_TRAP(OVERFLOW);                                                                                  \
    }

#define MMA_SATURATE(name, from, to, cast, inside, least, most)                                              \
    MMA_INLINE to mma_##name(from a) {                                                                       \
        if (__builtin_expect(inside, 1)) return (to)(cast)a;                                                 \
        if (a != a) return 0;                                                                                \
        return a < 0 ? (to)(least) : (to)(most);                                                             \
    }

#define MMA_CONVERT(to, wide, sign, from, type, cast, inside, least, most)                                   \
    MMA_TRUNCATE(to##_trunc_##from##_##sign, type, wide, cast, inside, least, most)                          \
    MMA_SATURATE(to##_trunc_sat_##from##_##sign, type, wide, cast, inside, least, most)

#define MMA_S32 0x80000000u, 0x7FFFFFFFu
#define MMA_S64 0x8000000000000000ull, 0x7FFFFFFFFFFFFFFFull
#define MMA_APPLY(macro, ...) macro(__VA_ARGS__)

MMA_APPLY(MMA_CONVERT, i32, u32, s, f32, float, s32, a >= -0x1p31f && a < 0x1p31f, MMA_S32)
MMA_APPLY(MMA_CONVERT, i32, u32, u, f32, float, u32, a > -1.0f && a < 0x1p32f, 0, 0xFFFFFFFFu)
MMA_APPLY(MMA_CONVERT, i32, u32, s, f64, double, s32, a > -2147483649.0 && a < 0x1p31, MMA_S32)
MMA_APPLY(MMA_CONVERT, i32, u32, u, f64, double, u32, a > -1.0 && a < 0x1p32, 0, 0xFFFFFFFFu)
MMA_APPLY(MMA_CONVERT, i64, u64, s, f32, float, s64, a >= -0x1p63f && a < 0x1p63f, MMA_S64)
MMA_APPLY(MMA_CONVERT, i64, u64, u, f32, float, u64, a > -1.0f && a < 0x1p64f, 0, 0xFFFFFFFFFFFFFFFFull)
MMA_APPLY(MMA_CONVERT, i64, u64, s, f64, double, s64, a >= -0x1p63 && a < 0x1p63, MMA_S64)
MMA_APPLY(MMA_CONVERT, i64, u64, u, f64, double, u64, a > -1.0 && a < 0x1p64, 0, 0xFFFFFFFFFFFFFFFFull)

#endif

#endif
