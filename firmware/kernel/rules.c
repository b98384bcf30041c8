#include "kernel/rules.h"

#include "kernel/bytes.h"
#include "kernel/pins.h"

_Static_assert(sizeof(struct mma_rule) == MMA_RULE_BYTES, "gateways count on the size of a rule");

// What is noted of a rule.
enum {
    PENDING = 1,  // it came true, and its handler was not called yet
    HIGH = 2,     // the pin's level when last looked at; the sensor was above
    LOW = 4,      // the sensor was below
    HARDWARE = 8, // edges by interrupts, pulses by a timer
};

static uint64_t due; // when to look next; 0: at once

static void look_at_once(void) { due = 0; }

struct mma_rule *mma_rules_of(const struct mma_executor *executor) {
    struct mma_run code = mma_place_code(&executor->place, &executor->parts);
    return (struct mma_rule *)(void *)mma_at(code.high) - executor->rules;
}

static bool has_handler(const struct mma_rule *rule) { return rule->kind && rule->kind != MMA_RULE_PWM; }

// A free rule, or NULL.
static struct mma_rule *take(const struct mma_executor *executor, enum mma_rule_kind kind, uint32_t number) {
    struct mma_rule *rule = mma_rules_of(executor);
    for (uint32_t i = 0; i < executor->rules; i++, rule++) {
        if (!rule->kind) {
            memset(rule, 0, sizeof *rule);
            rule->kind = (uint8_t)kind;
            rule->number = (uint8_t)number;
            look_at_once();
            return rule;
        }
    }
    return 0;
}

static int number_of(const struct mma_executor *executor, const struct mma_rule *rule) {
    return (int)(rule - mma_rules_of(executor));
}

// -- edges -------------------------------------------------------------------------------------------------------

// The edges that an executor's rules want of a pin.
static uint32_t wanted(const struct mma_executor *executor, uint32_t pin) {
    const struct mma_rule *rule = mma_rules_of(executor);
    uint32_t edges = 0;
    for (uint32_t i = 0; i < executor->rules; i++, rule++) {
        if (rule->kind == MMA_RULE_EDGE && rule->number == pin) {
            edges |= rule->edges;
        }
    }
    return edges;
}

int mma_rule_edge(struct mma_executor *executor, uint32_t pin, uint32_t edges, uint32_t handler) {
    if (edges < MMA_EDGE_RISING || edges > MMA_EDGE_BOTH || handler == UINT32_MAX) {
        return MMA_ERR_INVALID;
    }
    struct mma_rule *rule = take(executor, MMA_RULE_EDGE, pin);
    if (!rule) {
        return MMA_ERR_NOROOM;
    }
    rule->edges = (uint8_t)edges;
    rule->handler = handler;
    rule->state = mma_pin_read(pin) > 0 ? HIGH : 0;
    int error = mma_pin_watch(pin, wanted(executor, pin));
    if (!error) {
        rule->state |= HARDWARE;
    } else if (error != MMA_ERR_UNSUPPORTED) {
        rule->kind = MMA_RULE_NONE;
        return error;
    }
    return number_of(executor, rule);
}

static void come_true(struct mma_rule *rule, int32_t value) {
    rule->state |= PENDING;
    rule->value = value;
    rule->count++;
}

static void look_at_pin(const struct mma_executor *executor, struct mma_rule *rule, uint32_t noted, uint64_t now) {
    bool hardware = rule->state & HARDWARE;
    if (hardware ? !(noted >> rule->number & 1) : now < rule->due) {
        return;
    }
    rule->due = now + MMA_RULE_LEAST;
    bool level = mma_pin_read(rule->number) > 0, was = rule->state & HIGH;
    uint32_t seen = level == was ? 0 : level ? MMA_EDGE_RISING : MMA_EDGE_FALLING;
    if (hardware) {
        uint32_t watched = wanted(executor, rule->number);
        if (watched != MMA_EDGE_BOTH) {
            seen = watched; // nothing else interrupts, though the pin may be back already
            level = watched == MMA_EDGE_RISING;
        } else if (!seen) {
            seen = MMA_EDGE_BOTH; // it is back where it was: a pulse
        }
    }
    rule->state = (uint8_t)((rule->state & ~HIGH) | (level ? HIGH : 0));
    if (seen & rule->edges) {
        come_true(rule, level);
    }
}

// -- thresholds and timers ---------------------------------------------------------------------------------------

int mma_rule_threshold(struct mma_executor *executor, uint32_t sensor, const int32_t limits[2], uint32_t period,
                       uint32_t handler) {
    if (limits[0] < limits[1] || period < MMA_RULE_LEAST || handler == UINT32_MAX) {
        return MMA_ERR_INVALID;
    }
    struct mma_rule *rule = take(executor, MMA_RULE_THRESHOLD, sensor);
    if (!rule) {
        return MMA_ERR_NOROOM;
    }
    rule->above = limits[0];
    rule->below = limits[1];
    rule->period = period;
    rule->handler = handler;
    return number_of(executor, rule);
}

static void look_at_sensor(struct mma_rule *rule, uint64_t now) {
    int32_t value;
    rule->due = now + rule->period;
    if (mma_sensor_read(rule->number, &value)) {
        return; // it will be asked again
    }
    uint8_t side = value > rule->above ? HIGH : value < rule->below ? LOW : 0;
    if (side && !(rule->state & side)) {
        rule->state = side;
        come_true(rule, value);
    }
}

int mma_rule_timer(struct mma_executor *executor, uint64_t period, uint32_t handler) {
    if (!period || handler == UINT32_MAX) {
        return MMA_ERR_INVALID;
    }
    struct mma_rule *rule = take(executor, MMA_RULE_TIMER, 0);
    if (!rule) {
        return MMA_ERR_NOROOM;
    }
    uint64_t now = mma_time();
    rule->period = period < UINT64_MAX - now ? period : UINT64_MAX - now;
    rule->due = now + rule->period;
    rule->handler = handler;
    return number_of(executor, rule);
}

static void look_at_clock(struct mma_rule *rule, uint64_t now) {
    // Periods that have passed: mostly one. A handler that came much too late loses the beat, so that nothing here
    // takes long.
    int32_t periods = 0;
    while (rule->due <= now && periods < 100) {
        rule->due += rule->period;
        periods++;
    }
    if (rule->due <= now) {
        rule->due = now + rule->period;
    }
    come_true(rule, periods);
}

// -- what the gateway tells --------------------------------------------------------------------------------------

static int take_told(struct mma_executor *executor, enum mma_rule_kind kind, uint32_t to, uint32_t size,
                     uint32_t handler) {
    if (handler == UINT32_MAX) {
        return MMA_ERR_INVALID;
    }
    struct mma_rule *rule = take(executor, kind, 0);
    if (!rule) {
        return MMA_ERR_NOROOM;
    }
    rule->above = (int32_t)to;
    rule->below = (int32_t)size;
    rule->handler = handler;
    return number_of(executor, rule);
}

int mma_rule_stop(struct mma_executor *executor, uint32_t handler) {
    return take_told(executor, MMA_RULE_STOP, 0, 0, handler);
}

int mma_rule_message(struct mma_executor *executor, uint32_t to, uint32_t size, uint32_t handler) {
    return take_told(executor, MMA_RULE_MESSAGE, to, size, handler);
}

static struct mma_rule *find(const struct mma_executor *executor, enum mma_rule_kind kind) {
    struct mma_rule *rule = mma_rules_of(executor);
    for (uint32_t i = 0; i < executor->rules; i++, rule++) {
        if (rule->kind == kind) {
            return rule;
        }
    }
    return 0;
}

int mma_rules_stop(struct mma_executor *executor, uint32_t milliseconds) {
    struct mma_rule *rule = find(executor, MMA_RULE_STOP);
    if (!rule) {
        return MMA_ERR_NOENT;
    }
    come_true(rule, (int32_t)milliseconds);
    look_at_once();
    return 0;
}

int mma_rules_message(struct mma_executor *executor, const uint8_t *data, uint32_t length) {
    struct mma_rule *rule = find(executor, MMA_RULE_MESSAGE);
    if (!rule) {
        return MMA_ERR_NOENT;
    }
    if (length > (uint32_t)rule->below) {
        return MMA_ERR_NOROOM;
    }
    if (!executor->waits || rule->state & PENDING) {
        return MMA_ERR_BUSY; // the buffer may still be read
    }
    uint32_t memory = mma_place_memory(&executor->place, &executor->parts).low;
    memcpy(mma_at(memory + (uint32_t)rule->above), data, length);
    come_true(rule, (int32_t)length);
    look_at_once();
    return 0;
}

// -- pulses ------------------------------------------------------------------------------------------------------

static struct mma_rule *pwm_of(const struct mma_executor *executor, uint32_t pin) {
    struct mma_rule *rule = mma_rules_of(executor);
    for (uint32_t i = 0; i < executor->rules; i++, rule++) {
        if (rule->kind == MMA_RULE_PWM && rule->number == pin) {
            return rule;
        }
    }
    return 0;
}

int mma_rule_pwm(struct mma_executor *executor, uint32_t pin, uint32_t period_ns, uint32_t high_ns) {
    struct mma_rule *rule = pwm_of(executor, pin);
    if (!period_ns) {
        mma_rule_pwm_off(executor, pin);
        return 0;
    }
    if (high_ns > period_ns) {
        return MMA_ERR_INVALID;
    }
    if (!rule) {
        rule = take(executor, MMA_RULE_PWM, pin);
        if (!rule) {
            return MMA_ERR_NOROOM;
        }
        (void)mma_pin_mode(pin, MMA_GPIO_OUTPUT);
        rule->state = HARDWARE;
    }
    if (rule->state & HARDWARE && mma_pin_pwm(pin, period_ns, high_ns) != 0) {
        rule->state = 0;
    }
    if (!(rule->state & HARDWARE) && period_ns < MMA_RULE_LEAST * 1000) {
        mma_rule_pwm_off(executor, pin);
        return MMA_ERR_UNSUPPORTED;
    }
    rule->period = period_ns;
    rule->value = (int32_t)high_ns;
    rule->count++;
    look_at_once();
    return 0;
}

void mma_rule_pwm_off(struct mma_executor *executor, uint32_t pin) {
    struct mma_rule *rule = pwm_of(executor, pin);
    if (rule) {
        (void)mma_rule_off(executor, (uint32_t)number_of(executor, rule));
    }
}

static void pulse(struct mma_rule *rule, uint64_t now) {
    uint32_t period = (uint32_t)rule->period, high = (uint32_t)rule->value;
    bool level = rule->state & HIGH ? high == period : high != 0;
    uint32_t length = high == 0 || high == period ? period : level ? high : period - high;
    rule->state = level ? HIGH : 0;
    (void)mma_pin_write(rule->number, level);
    // From when it should have been, so that lateness doesn't add up; unless it was long ago.
    rule->due = (rule->due + MMA_RULE_LEAST < now ? now : rule->due) + length / 1000;
}

// -- their life --------------------------------------------------------------------------------------------------

int mma_rule_off(struct mma_executor *executor, uint32_t number) {
    if (number >= executor->rules || !mma_rules_of(executor)[number].kind) {
        return MMA_ERR_NOENT;
    }
    struct mma_rule *rule = &mma_rules_of(executor)[number];
    uint32_t kind = rule->kind, pin = rule->number;
    rule->kind = MMA_RULE_NONE;
    if (kind == MMA_RULE_EDGE) {
        (void)mma_pin_watch(pin, wanted(executor, pin));
    } else if (kind == MMA_RULE_PWM) {
        if (rule->state & HARDWARE) {
            (void)mma_pin_pwm(pin, 0, 0);
        }
        (void)mma_pin_write(pin, 0);
    }
    return 0;
}

void mma_rules_begin(struct mma_executor *executor) {
    memset(mma_rules_of(executor), 0, executor->rules * sizeof(struct mma_rule));
}

void mma_rules_end(struct mma_executor *executor) {
    for (uint32_t i = 0; i < executor->rules; i++) {
        (void)mma_rule_off(executor, i);
    }
    for (uint32_t pin = 0; pin < 32; pin++) {
        if (executor->gpio >> pin & mma_stand_in.directions >> pin & 1) {
            (void)mma_pin_mode(pin, MMA_GPIO_INPUT);
        }
    }
}

bool mma_rule_wait(struct mma_executor *executor) {
    const struct mma_rule *rule = mma_rules_of(executor);
    for (uint32_t i = 0; i < executor->rules; i++, rule++) {
        if (has_handler(rule)) {
            executor->waits = true;
            executor->wake = UINT64_MAX;
            look_at_once();
            return true;
        }
    }
    return false;
}

// Give an executor that waits one rule that came true; each has its turn.
static void serve(struct mma_executor *executor) {
    struct mma_rule *rules = mma_rules_of(executor);
    for (uint32_t i = 0; i < executor->rules; i++) {
        uint32_t number = (executor->served + i) % executor->rules;
        struct mma_rule *rule = &rules[number];
        if (has_handler(rule) && rule->state & PENDING) {
            rule->state &= (uint8_t)~PENDING;
            executor->served = (uint8_t)(number + 1);
            executor->waits = false;
            executor->wake = 0;
            mma_arch_answer(&executor->context, rule->handler | (uint64_t)(uint32_t)rule->value << 32);
            mma_scheduler_add(executor);
            return;
        }
    }
}

// Look at one rule. Gives when to look again. Timers and sensors are of interest only to who waits: one that is busy
// makes the kernel no work.
static uint64_t look(struct mma_executor *executor, struct mma_rule *rule, uint32_t noted, uint64_t now) {
    bool hardware = rule->state & HARDWARE;
    switch (rule->kind) {
    case MMA_RULE_EDGE:
        look_at_pin(executor, rule, noted, now);
        return hardware ? UINT64_MAX : rule->due;
    case MMA_RULE_THRESHOLD:
    case MMA_RULE_TIMER:
        if (!executor->waits) {
            return UINT64_MAX;
        }
        if (now >= rule->due) {
            rule->kind == MMA_RULE_TIMER ? look_at_clock(rule, now) : look_at_sensor(rule, now);
        }
        return rule->due;
    case MMA_RULE_PWM:
        if (!hardware && now >= rule->due) {
            pulse(rule, now);
        }
        return hardware ? UINT64_MAX : rule->due;
    default:
        return UINT64_MAX;
    }
}

uint64_t mma_rules_poll(uint64_t now) {
    uint32_t noted = mma_pin_edges();
    if (!noted && now < due) {
        return due;
    }
    due = UINT64_MAX;
    for (uint32_t i = 0; i < MMA_SLOTS; i++) {
        struct mma_executor *executor = &mma_executors[i];
        if (executor->state != MMA_RUNNING || !executor->rules) {
            continue;
        }
        struct mma_rule *rule = mma_rules_of(executor);
        for (uint32_t n = 0; n < executor->rules; n++, rule++) {
            uint64_t next = look(executor, rule, noted, now);
            due = next < due ? next : due;
        }
        if (executor->waits) {
            serve(executor);
        }
    }
    return due;
}
