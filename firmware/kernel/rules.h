// Rules: what an executor wants to be told of, and pulses that the kernel makes for it.
//
// An executor's rules lie at the upper end of its code, which it can't write: the kernel's own RAM doesn't depend on
// them. A handler is a number that the kernel keeps and gives back; the executor calls it by its own table.
#ifndef MMA_RULES_H
#define MMA_RULES_H

#include "kernel/executor.h"

struct mma_rule {
    uint64_t due;    // when to look next, microseconds since boot
    uint64_t period; // microseconds; PWM: nanoseconds
    uint32_t handler;
    int32_t value;   // what the handler gets; PWM: the nanoseconds of high
    int32_t above;   // thresholds
    int32_t below;
    uint32_t count;  // how often it came true
    uint8_t kind;    // enum mma_rule_kind
    uint8_t number;  // of the pin or sensor
    uint8_t edges;   // enum mma_edge
    uint8_t state;   // bits of rules.c
};

#define MMA_RULES_MOST 32

// The rules of an executor that runs; `rules` of them.
struct mma_rule *mma_rules_of(const struct mma_executor *executor);

// The host calls. A rule's number, or 0, or a negative enum mma_error. Grants are checked by the caller.
int mma_rule_edge(struct mma_executor *executor, uint32_t pin, uint32_t edges, uint32_t handler);
int mma_rule_threshold(struct mma_executor *executor, uint32_t sensor, const int32_t limits[2], uint32_t period,
                       uint32_t handler);
int mma_rule_timer(struct mma_executor *executor, uint64_t period, uint32_t handler);
int mma_rule_pwm(struct mma_executor *executor, uint32_t pin, uint32_t period_ns, uint32_t high_ns);
int mma_rule_stop(struct mma_executor *executor, uint32_t handler);
// Messages go to [to, to + size) of its linear memory, which the caller has checked.
int mma_rule_message(struct mma_executor *executor, uint32_t to, uint32_t size, uint32_t handler);
int mma_rule_off(struct mma_executor *executor, uint32_t rule);
// End the pulses on a pin, if there are any.
void mma_rule_pwm_off(struct mma_executor *executor, uint32_t pin);
// Take it off the CPU until a rule comes true. False if none can.
bool mma_rule_wait(struct mma_executor *executor);

// It begins without rules, and leaves none behind: what it drove becomes an input again.
void mma_rules_begin(struct mma_executor *executor);
void mma_rules_end(struct mma_executor *executor);

// From the gateway: it is to end within so many milliseconds; a message. 0, or MMA_ERR_NOENT where no rule is about
// that; for messages also NOROOM, and BUSY while its handler is at the one before.
int mma_rules_stop(struct mma_executor *executor, uint32_t milliseconds);
int mma_rules_message(struct mma_executor *executor, const uint8_t *data, uint32_t length);

// See what has come true, and wake who waits for it. Gives when to look again, microseconds since boot.
uint64_t mma_rules_poll(uint64_t now);

#endif
