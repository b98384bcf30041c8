// The four kinds of work that CoreMark measures, written anew.

static uint16_t crc16(uint8_t byte, uint16_t crc) {
    for (int bit = 0; bit < 8; bit++) {
        int carry = (crc ^ byte) & 1;
        byte >>= 1;
        crc >>= 1;
        if (carry) crc ^= 0xA001;
    }
    return crc;
}

static uint32_t crc16_word(uint32_t word, uint32_t crc) {
    return crc16((uint8_t)(word >> 8), crc16((uint8_t)word, (uint16_t)crc));
}

// -- a linked list: find, reverse, merge sort by two orders ---------------------------------------------------

struct node {
    struct node *next;
    int16_t key, value;
};

#define NODES 64
static struct node nodes[NODES];

typedef int (*order)(const struct node *a, const struct node *b);

__attribute__((noinline)) static int by_key(const struct node *a, const struct node *b) {
    return a->key - b->key;
}

__attribute__((noinline)) static int by_value(const struct node *a, const struct node *b) {
    return (a->value & 0xFF) - (b->value & 0xFF);
}

__attribute__((noinline)) static struct node *find(struct node *at, int16_t value) {
    while (at && at->value != value) at = at->next;
    return at;
}

__attribute__((noinline)) static struct node *reverse(struct node *at) {
    struct node *done = 0;
    while (at) {
        struct node *next_one = at->next;
        at->next = done;
        done = at;
        at = next_one;
    }
    return done;
}

// Bottom up, as runs of 1, 2, 4 ... nodes.
__attribute__((noinline)) static struct node *merge_sort(struct node *head, order compare) {
    for (uint32_t run = 1;; run *= 2) {
        struct node *from = head, *last = 0;
        uint32_t merges = 0;
        head = 0;
        while (from) {
            struct node *other = from;
            uint32_t first = 0, second = run;
            merges++;
            while (first < run && other) first++, other = other->next;
            while (first > 0 || (second > 0 && other)) {
                struct node *taken;
                if (first > 0 && (second == 0 || !other || compare(from, other) <= 0)) {
                    taken = from;
                    from = from->next;
                    first--;
                } else {
                    taken = other;
                    other = other->next;
                    second--;
                }
                if (last)
                    last->next = taken;
                else
                    head = taken;
                last = taken;
            }
            from = other;
        }
        last->next = 0;
        if (merges <= 1) return head;
    }
}

static inline uint32_t list(struct node *head) {
    uint32_t crc = 0;
    for (int n = 0; n < NODES; n++) {
        nodes[n].next = n + 1 < NODES ? &nodes[n + 1] : 0;
        nodes[n].key = (int16_t)(n * 37 % NODES);
        nodes[n].value = (int16_t)(n * 11 + 5);
    }
    for (int round = 0; round < 8; round++) {
        struct node *found = find(head, (int16_t)(round * 77 + 5));
        crc = crc16_word(found ? (uint32_t)found->key : 1, crc);
        head = reverse(head);
        head = merge_sort(head, round & 1 ? by_value : by_key);
    }
    for (struct node *at = head; at; at = at->next) crc = crc16_word((uint32_t)at->value, crc);
    return crc;
}

// -- small matrices of 16-bit numbers -------------------------------------------------------------------------

#define CELLS 9
static int16_t cells[2][CELLS * CELLS];
static int32_t sums[CELLS * CELLS];

__attribute__((noinline)) static int32_t total(const int32_t *m, uint32_t side, int32_t clip) {
    int32_t sum = 0, before = 0, out = 0;
    for (uint32_t i = 0; i < side * side; i++) {
        sum += m[i];
        if (sum > clip) {
            out += 10;
            sum = 0;
        } else {
            out += m[i] > before;
        }
        before = m[i];
    }
    return out;
}

__attribute__((noinline)) static void add_constant(int16_t *m, uint32_t side, int16_t value) {
    for (uint32_t i = 0; i < side; i++)
        for (uint32_t j = 0; j < side; j++) m[i * side + j] = (int16_t)(m[i * side + j] + value);
}

__attribute__((noinline)) static void scale(int32_t *out, const int16_t *m, uint32_t side, int16_t value) {
    for (uint32_t i = 0; i < side; i++)
        for (uint32_t j = 0; j < side; j++) out[i * side + j] = m[i * side + j] * value;
}

__attribute__((noinline)) static void by_vector(int32_t *out, const int16_t *m, const int16_t *v, uint32_t side) {
    for (uint32_t i = 0; i < side; i++) {
        out[i] = 0;
        for (uint32_t j = 0; j < side; j++) out[i] += m[i * side + j] * v[j];
    }
}

__attribute__((noinline)) static void by_matrix(int32_t *out, const int16_t *l, const int16_t *r, uint32_t side,
                                                int bits) {
    for (uint32_t i = 0; i < side; i++)
        for (uint32_t j = 0; j < side; j++) {
            int32_t sum = 0;
            for (uint32_t k = 0; k < side; k++) {
                int32_t term = l[i * side + k] * r[k * side + j];
                sum += bits ? (term >> 2 & 0xF) * (term >> 5 & 0x7F) : term;
            }
            out[i * side + j] = sum;
        }
}

static inline uint32_t small_matrices(int16_t m[2][CELLS * CELLS], uint32_t side) {
    uint32_t crc = 0;
    for (int16_t value = 1; value < 4; value++) {
        add_constant(m[0], side, value);
        scale(sums, m[0], side, value);
        crc = crc16_word((uint32_t)total(sums, side, 1000), crc);
        by_vector(sums, m[0], m[1], side);
        crc = crc16_word((uint32_t)total(sums, side, 1000), crc);
        by_matrix(sums, m[0], m[1], side, 0);
        crc = crc16_word((uint32_t)total(sums, side, 1000), crc);
        by_matrix(sums, m[0], m[1], side, 1);
        crc = crc16_word((uint32_t)total(sums, side, 1000), crc);
        add_constant(m[0], side, (int16_t)-value);
    }
    return crc;
}

// -- a state machine that tells numbers from other words ----------------------------------------------------------

enum state { START, INVALID, SIGN, INTEGER, FRACTION, EXPONENT, POWER_SIGN, POWER, STATES };

#define WORDS 600
static uint8_t words[WORDS + 1];
static uint32_t entered[STATES], ended[STATES];

static inline int is_digit(uint8_t c) {
    return c >= '0' && c <= '9';
}

// One word, up to a comma or the end.
__attribute__((noinline)) static enum state read_word(uint8_t **from) {
    uint8_t *at = *from;
    enum state state = START;
    for (; *at && state != INVALID; at++) {
        uint8_t c = *at;
        if (c == ',') {
            at++;
            break;
        }
        enum state before = state;
        switch (state) {
            case START:
                state = is_digit(c) ? INTEGER : c == '+' || c == '-' ? SIGN : c == '.' ? FRACTION : INVALID;
                break;
            case SIGN: state = is_digit(c) ? INTEGER : c == '.' ? FRACTION : INVALID; break;
            case INTEGER:
                if (c == '.')
                    state = FRACTION;
                else if (!is_digit(c))
                    state = INVALID;
                break;
            case FRACTION:
                if (c == 'e' || c == 'E')
                    state = EXPONENT;
                else if (!is_digit(c))
                    state = INVALID;
                break;
            case EXPONENT: state = c == '+' || c == '-' ? POWER_SIGN : INVALID; break;
            case POWER_SIGN: state = is_digit(c) ? POWER : INVALID; break;
            case POWER:
                if (!is_digit(c)) state = INVALID;
                break;
            default: break;
        }
        if (state != before) entered[state]++;
    }
    if (state == INVALID)
        while (*at && *at++ != ',') {}
    *from = at;
    return state;
}

static inline uint32_t states(uint8_t *input, uint32_t length) {
    uint32_t crc = 0;
    for (int n = 0; n < STATES; n++) entered[n] = ended[n] = 0;
    for (uint32_t damage = 0; damage < 2; damage++) {
        for (uint8_t *at = input; *at;) ended[read_word(&at)]++;
        for (uint32_t n = 0; n < length; n += 17)
            if (input[n] != ',') input[n] ^= 0x11;
    }
    for (int n = 0; n < STATES; n++) crc = crc16_word(ended[n], crc16_word(entered[n], crc));
    return crc;
}

static void setup_core(void) {
    static const char samples_of[8][9] = {"5012,", "+1.25e+3", "-.75,", "x7T4,", "8.5e-2,", "-123,", "1..5,", "6.,"};
    for (int n = 0; n < CELLS * CELLS; n++) cells[0][n] = (int16_t)(next() & 0xFF), cells[1][n] = (int16_t)(next() & 0xFF);
    uint32_t at = 0;
    while (at < WORDS)
        for (const char *word = samples_of[next() & 7], *end = word + 8; word < end && *word && at < WORDS; word++)
            words[at++] = (uint8_t)*word;
}
