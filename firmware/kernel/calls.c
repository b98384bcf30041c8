// Host calls: what an executor may ask (enum mma_call of the SDK). Every pointer is an offset into the caller's
// linear memory and is checked against its present size; every resource is checked against the grants.
#include "boards/board.h"
#include "kernel/bytes.h"
#include "kernel/executor.h"
#include "kernel/pins.h"
#include "kernel/rules.h"

enum { TOLD_GPIO = 1, TOLD_SENSOR = 2 };

// The caller's bytes [offset, offset + length), or NULL.
static uint8_t *guest(const struct mma_executor *executor, uint32_t offset, uint32_t length) {
    if (offset > executor->memory || length > executor->memory - offset) {
        return 0;
    }
    return mma_at(mma_place_memory(&executor->place, &executor->parts).low + offset);
}

static void say(struct mma_executor *executor, const char *text) {
    uint32_t length = 0;
    while (text[length]) {
        length++;
    }
    mma_executor_log(executor, text, length);
}

// Refuse, and say so in the caller's log the first time.
static int denied(struct mma_executor *executor, uint8_t what, const char *text) {
    if (!(executor->told & what)) {
        executor->told |= what;
        say(executor, text);
    }
    return MMA_ERR_DENIED;
}

static int call_log(struct mma_executor *executor, uint32_t offset, uint32_t length) {
    const uint8_t *text = guest(executor, offset, length);
    if (!text) {
        return MMA_ERR_FAULT;
    }
    mma_executor_log(executor, text, length);
    mma_executor_log(executor, "\n", 1);
    return 0;
}

static int call_result(struct mma_executor *executor, uint32_t offset, uint32_t length) {
    struct mma_run result = mma_place_result(&executor->place, &executor->parts);
    const uint8_t *data = guest(executor, offset, length);
    if (!data) {
        return MMA_ERR_FAULT;
    }
    if (length > result.high - result.low) {
        return MMA_ERR_NOROOM;
    }
    memcpy(mma_at(result.low), data, length);
    executor->result = length;
    return 0;
}

static bool same_name(const char *name, const uint8_t *text, uint32_t length) {
    uint32_t i = 0;
    while (i < length && name[i] && (uint8_t)name[i] == text[i]) {
        i++;
    }
    return i == length && !name[i];
}

// The number of a sensor that the caller holds, or a negative enum mma_error.
static int find_sensor(struct mma_executor *executor, uint32_t name, uint32_t length) {
    const uint8_t *text = guest(executor, name, length);
    if (!text) {
        return MMA_ERR_FAULT;
    }
    for (uint32_t i = 0; i < mma_board_sensor_count; i++) {
        if (same_name(mma_board_sensors[i].name, text, length)) {
            return executor->sensors >> i & 1
                       ? (int)i
                       : denied(executor, TOLD_SENSOR, "mma: this sensor is not granted to the task\n");
        }
    }
    return MMA_ERR_NOENT;
}

static int call_sensor(struct mma_executor *executor, uint32_t name, uint32_t length, uint32_t to) {
    uint8_t *target = guest(executor, to, 4);
    int sensor = target ? find_sensor(executor, name, length) : MMA_ERR_FAULT;
    int32_t value;
    int error = sensor < 0 ? sensor : mma_sensor_read((uint32_t)sensor, &value);
    if (!error) {
        memcpy(target, &value, 4);
    }
    return error;
}

static int call_threshold(struct mma_executor *executor, uint32_t from, uint32_t handler) {
    struct {
        uint32_t name;
        uint32_t length;
        int32_t limits[2];
        uint32_t period;
    } wish; // struct mma_threshold of sdk/mma.h
    const uint8_t *data = guest(executor, from, sizeof wish);
    if (!data) {
        return MMA_ERR_FAULT;
    }
    memcpy(&wish, data, sizeof wish);
    int sensor = find_sensor(executor, wish.name, wish.length);
    return sensor < 0 ? sensor
                      : mma_rule_threshold(executor, (uint32_t)sensor, wish.limits, wish.period, handler);
}

// Everything about one pin.
static int call_gpio(struct mma_executor *executor, const struct mma_called *called) {
    uint32_t pin = called->argument[0], value = called->argument[1], more = called->argument[2];
    if (pin >= mma_board_pin_count) {
        return MMA_ERR_NOENT;
    }
    if (!(executor->gpio >> pin & 1)) {
        return denied(executor, TOLD_GPIO, "mma: this gpio is not granted to the task\n");
    }
    switch (called->number) {
    case MMA_CALL_GPIO_READ:
        return mma_pin_read(pin);
    case MMA_CALL_ON_EDGE:
        return mma_rule_edge(executor, pin, value, more);
    case MMA_CALL_PWM:
        return mma_rule_pwm(executor, pin, value, more);
    case MMA_CALL_GPIO_WRITE:
        mma_rule_pwm_off(executor, pin);
        return mma_pin_write(pin, value);
    default:
        if (value > MMA_GPIO_INPUT_PULLDOWN) {
            return MMA_ERR_INVALID;
        }
        mma_rule_pwm_off(executor, pin);
        return mma_pin_mode(pin, (enum mma_gpio_mode)value);
    }
}

static void call_sleep(struct mma_executor *executor, uint64_t length) {
    uint64_t now = mma_time();
    if (length == 0) {
        mma_scheduler_yield(executor);
    } else {
        executor->dozed = length < MMA_SLICE / 4;
        executor->wake = length < UINT64_MAX - now ? now + length : UINT64_MAX;
    }
}

static int call_memory_size(struct mma_executor *executor, uint32_t size) {
    if (size > executor->parts.memory) {
        return MMA_ERR_NOROOM;
    }
    executor->memory = size;
    return 0;
}

void mma_host_call(struct mma_executor *executor, const struct mma_called *called) {
    const uint32_t *argument = called->argument;
    int answer = 0;
    executor->pc = called->pc;
    if (called->number >= MMA_CALL_TRAP && called->number <= 0xFF) {
        mma_executor_end(executor, MMA_CAUSE_TRAP, (int32_t)(called->number - MMA_CALL_TRAP));
        return;
    }
    switch (called->number) {
    case MMA_CALL_EXIT:
        mma_executor_end(executor, MMA_CAUSE_EXIT, (int32_t)argument[0]);
        return;
    case MMA_CALL_YIELD:
        mma_scheduler_yield(executor);
        break;
    case MMA_CALL_SLEEP:
        call_sleep(executor, argument[0] | (uint64_t)argument[1] << 32);
        break;
    case MMA_CALL_TIME:
        mma_arch_answer(&executor->context, mma_time());
        return;
    case MMA_CALL_LOG:
        answer = call_log(executor, argument[0], argument[1]);
        break;
    case MMA_CALL_RESULT:
        answer = call_result(executor, argument[0], argument[1]);
        break;
    case MMA_CALL_SENSOR_READ:
        answer = call_sensor(executor, argument[0], argument[1], argument[2]);
        break;
    case MMA_CALL_GPIO_MODE:
    case MMA_CALL_GPIO_WRITE:
    case MMA_CALL_GPIO_READ:
    case MMA_CALL_ON_EDGE:
    case MMA_CALL_PWM:
        answer = call_gpio(executor, called);
        break;
    case MMA_CALL_ON_THRESHOLD:
        answer = call_threshold(executor, argument[0], argument[1]);
        break;
    case MMA_CALL_ON_TIMER:
        answer = mma_rule_timer(executor, argument[0] | (uint64_t)argument[1] << 32, argument[2]);
        break;
    case MMA_CALL_ON_STOP:
        answer = mma_rule_stop(executor, argument[0]);
        break;
    case MMA_CALL_ON_MESSAGE:
        answer = guest(executor, argument[0], argument[1])
                     ? mma_rule_message(executor, argument[0], argument[1], argument[2])
                     : MMA_ERR_FAULT;
        break;
    case MMA_CALL_OFF:
        answer = mma_rule_off(executor, argument[0]);
        break;
    case MMA_CALL_WAIT:
        if (!mma_rule_wait(executor)) {
            mma_arch_answer(&executor->context, UINT64_MAX);
        }
        return; // the rule that comes true is the answer
    case MMA_CALL_MEMORY_SIZE:
        answer = call_memory_size(executor, argument[0]);
        break;
    default:
        answer = MMA_ERR_UNSUPPORTED;
        break;
    }
    mma_arch_answer(&executor->context, (uint32_t)answer);
}
