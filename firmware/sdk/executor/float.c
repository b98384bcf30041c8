// Rounding and square roots for CPUs without them: by the bits, exact, any NaN made quiet.

typedef __UINT32_TYPE__ u32;
typedef __UINT64_TYPE__ u64;

enum direction { TOWARD_ZERO, UP, DOWN, NEAREST };

// How a float is built: `fraction` explicit bits of mantissa, exponents offset by `bias`.
#define MMA_ROUNDING(kind, type, bits, fraction, bias, quiet)                                                \
    static type round_##kind(type a, enum direction where) {                                                 \
        union {                                                                                              \
            type value;                                                                                      \
            bits word;                                                                                       \
        } u = {a};                                                                                           \
        const bits one = 1, sign = u.word & one << (sizeof(bits) * 8 - 1), size = u.word ^ sign;             \
        const int exponent = (int)(size >> fraction) - bias;                                                 \
        if (exponent >= fraction) { /* whole already, infinite, or NaN */                                    \
            if (size > (bits)(2 * bias + 1) << fraction) u.word |= quiet;                                    \
            return u.value;                                                                                  \
        }                                                                                                    \
        if (exponent < 0) { /* between -1 and 1: the answer is 0 or 1, and keeps the sign */                 \
            const bits half = (bits)(bias - 1) << fraction;                                                  \
            const int away = where == UP     ? size && !sign                                                 \
                             : where == DOWN ? size && sign                                                  \
                                             : where == NEAREST && size > half;                              \
            u.word = sign | (away ? (bits)bias << fraction : 0);                                             \
            return u.value;                                                                                  \
        }                                                                                                    \
        const bits unit = one << (fraction - exponent), rest = u.word & (unit - 1);                          \
        u.word -= rest; /* toward zero; a carry into the exponent below is right as well */                  \
        const int away = where == UP     ? rest && !sign                                                     \
                         : where == DOWN ? rest && sign                                                      \
                         : where == NEAREST                                                                  \
                             ? rest > unit / 2 ||                                                            \
                                   (rest == unit / 2 && (exponent ? (u.word & unit) != 0 : 1))               \
                             : 0;                                                                            \
        if (away) u.word += unit;                                                                            \
        return u.value;                                                                                      \
    }                                                                                                        \
    type mma_ceil_##kind(type a) {                                                                           \
        return round_##kind(a, UP);                                                                          \
    }                                                                                                        \
    type mma_floor_##kind(type a) {                                                                          \
        return round_##kind(a, DOWN);                                                                        \
    }                                                                                                        \
    type mma_trunc_##kind(type a) {                                                                          \
        return round_##kind(a, TOWARD_ZERO);                                                                 \
    }                                                                                                        \
    type mma_nearest_##kind(type a) {                                                                        \
        return round_##kind(a, NEAREST);                                                                     \
    }

MMA_ROUNDING(f32, float, u32, 23, 127, 0x00400000u)
MMA_ROUNDING(f64, double, u64, 52, 1023, 0x0008000000000000ull)

// Square root digit by digit, correctly rounded to nearest: the root of the mantissa with one bit more than
// the format has, the last one rounding (a root is never exactly between two floats).
#define MMA_ROOT(name, type, bits, fraction, bias, quiet)                                                    \
    type name(type a) {                                                                                      \
        union {                                                                                              \
            type value;                                                                                      \
            bits word;                                                                                       \
        } u = {a};                                                                                           \
        const bits one = 1, infinity = (bits)(2 * bias + 1) << fraction;                                     \
        const bits sign = u.word >> (sizeof(bits) * 8 - 1);                                                  \
        bits mantissa = u.word & ((one << fraction) - 1);                                                    \
        if (u.word << 1 == 0 || u.word == infinity) return a;                                                \
        if (sign || u.word > infinity) { /* negative or NaN */                                               \
            const bits size = u.word & ~(one << (sizeof(bits) * 8 - 1));                                     \
            u.word = size > infinity ? u.word | quiet : infinity | quiet;                                    \
            return u.value;                                                                                  \
        }                                                                                                    \
        int exponent = (int)(u.word >> fraction);                                                            \
        if (exponent == 0) {                                                                                 \
            exponent = 1;                                                                                    \
            while (!(mantissa >> fraction)) mantissa <<= 1, exponent--;                                      \
        } else {                                                                                             \
            mantissa |= one << fraction;                                                                     \
        }                                                                                                    \
        exponent -= bias;                                                                                    \
        if (exponent & 1) mantissa <<= 1, exponent--;                                                        \
        bits root = 0, left = mantissa << 1, bit = one << (fraction + 1), sum = 0;                           \
        for (; bit; bit >>= 1) {                                                                             \
            bits next = sum + bit;                                                                           \
            if (next <= left) {                                                                              \
                sum = next + bit;                                                                            \
                left -= next;                                                                                \
                root += bit;                                                                                 \
            }                                                                                                \
            left <<= 1;                                                                                      \
        }                                                                                                    \
        root = (root >> 1) + (root & 1);                                                                     \
        u.word = root + ((bits)(exponent / 2 + bias - 1) << fraction);                                       \
        return u.value;                                                                                      \
    }

MMA_ROOT(mma_sqrt_soft_f32, float, u32, 23, 127, 0x00400000u)
MMA_ROOT(mma_sqrt_f64, double, u64, 52, 1023, 0x0008000000000000ull)

// Quotients of less than twice the smallest normal number, to the nearest, by long division: a is finite and not
// zero, b may be infinite.
#define MMA_TINY(name, type, bits, fraction, bias)                                                           \
    type name(type a, type b) {                                                                              \
        union {                                                                                              \
            type value;                                                                                      \
            bits word;                                                                                       \
        } u = {a}, v = {b};                                                                                  \
        const bits one = 1, top = one << (sizeof(bits) * 8 - 1), hidden = one << fraction;                   \
        const bits sign = (u.word ^ v.word) & top;                                                           \
        u.word &= ~top, v.word &= ~top;                                                                      \
        int up = (int)(u.word >> fraction), down = (int)(v.word >> fraction);                                \
        bits rest = u.word & (hidden - 1), divisor = v.word & (hidden - 1), quotient = sign;                 \
        if (down <= 2 * bias) { /* else it is infinite, and the quotient zero */                             \
            if (up) rest |= hidden; else up = 1;                                                             \
            if (down) divisor |= hidden; else down = 1;                                                      \
            while (!(rest >> fraction)) rest <<= 1, up--;                                                    \
            while (!(divisor >> fraction)) divisor <<= 1, down--;                                            \
            int places = up - down + bias + fraction - 1; /* binary ones of the result, and one to round by */ \
            bits found = 0;                                                                                  \
            if (places >= -1) {                                                                              \
                if (rest >= divisor) rest -= divisor, found = 1;                                             \
                for (; places >= 0; places--) {                                                              \
                    rest <<= 1, found <<= 1;                                                                 \
                    if (rest >= divisor) rest -= divisor, found |= 1;                                        \
                }                                                                                            \
                found = (found >> 1) + ((found & 1) && (rest || (found & 2)));                               \
            }                                                                                                \
            quotient = sign | found;                                                                         \
        }                                                                                                    \
        u.word = quotient;                                                                                   \
        return u.value;                                                                                      \
    }

MMA_TINY(mma_tiny_quotient_f32, float, u32, 23, 127)
MMA_TINY(mma_tiny_quotient_f64, double, u64, 52, 1023)
