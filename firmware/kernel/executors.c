// The resources under /x: create, load, start, kill, look at and delete executors. docs/link.md has them all.
#include "kernel/bytes.h"
#include "kernel/executor.h"
#include "kernel/rules.h"
#include "kernel/server.h"

#define TRACE 8 // return addresses told at most

static void put_place(struct mma_reply *reply, uint32_t number, const struct mma_executor *executor) {
    struct mma_out *out = &reply->out;
    reply->format = MMA_FORMAT_CBOR;
    reply->code = MMA_CODE_CREATED;
    reply->created = (uint8_t)('0' + number);
    mma_cbor_head(out, MMA_CBOR_MAP, 5);
    mma_cbor_pair(out, 0, number);
    mma_cbor_pair(out, 1, mma_place_code(&executor->place, &executor->parts).low);
    mma_cbor_pair(out, 2, mma_place_stack(&executor->place, &executor->parts).low);
    mma_cbor_pair(out, 3, mma_place_memory(&executor->place, &executor->parts).low);
    mma_cbor_pair(out, 4, executor->place.used);
}

void mma_resource_executors(const struct mma_coap *request, struct mma_reply *reply) {
    const uint8_t *data = request->payload.data;
    uint32_t length = request->payload.length;
    struct mma_shortage shortage = {0, 0};
    if (request->code != MMA_CODE_POST) {
        mma_refuse(reply, MMA_ERR_UNSUPPORTED, 0, 0);
        return;
    }
    struct mma_create create = {
        .key = mma_cbor_string(data, length, 0, MMA_KEY),
        .parts =
            {
                .code = mma_cbor_number(data, length, 1, 0),
                .stack = mma_cbor_number(data, length, 2, 0),
                .memory = mma_cbor_number(data, length, 3, 0),
                .log = mma_cbor_number(data, length, 4, 0),
                .result = mma_cbor_number(data, length, 5, 0),
            },
        .share = mma_cbor_number(data, length, 6, 1),
        .gpio = mma_cbor_number(data, length, 7, 0),
        .sensors = mma_cbor_number(data, length, 8, 0),
        .rules = mma_cbor_number(data, length, 9, 0),
    };
    int number = create.key ? mma_executor_create(&create, &shortage) : MMA_ERR_INVALID;
    if (number < 0) {
        mma_refuse(reply, number, shortage.missing, shortage.largest);
    } else {
        put_place(reply, (uint32_t)number, &mma_executors[number]);
    }
}

// A block of the image. What was taken before may come again, whole or in other blocks; what lies ahead is refused,
// with how far the image has come.
static int put_image(const struct mma_coap *request, struct mma_reply *reply, struct mma_executor *executor) {
    const struct mma_block *block = &request->block1;
    uint32_t length = request->payload.length;
    uint32_t offset = block->number << (block->size + 4);
    bool more = block->given && block->more;
    if (more && length != 16u << block->size) {
        return MMA_ERR_INVALID;
    }
    if (offset == 0) {
        int error = mma_executor_load(executor);
        if (error) {
            return error;
        }
    }
    uint32_t have = mma_executor_loaded(executor);
    if (executor->state == MMA_LOADING && offset <= have) {
        uint32_t known = mma_min(have - offset, length);
        int error = 0;
        if (known < length || !more) {
            error = mma_executor_feed(executor, request->payload.data + known, length - known, !more);
        }
        if (error) {
            return error;
        }
    } else if (executor->state == MMA_LOADING || executor->state == MMA_CREATED) {
        reply->code = MMA_CODE_INCOMPLETE; // RFC 7959 section 2.9.2
        reply->format = MMA_FORMAT_CBOR;
        mma_cbor_head(&reply->out, MMA_CBOR_MAP, 2);
        mma_cbor_head(&reply->out, MMA_CBOR_UINT, 0);
        mma_cbor_int(&reply->out, MMA_ERR_STATE);
        mma_cbor_pair(&reply->out, 3, have);
        return 0;
    } else if (executor->state != MMA_READY || offset + length > have || (!more && offset + length != have)) {
        return MMA_ERR_STATE;
    }
    reply->code = more ? MMA_CODE_CONTINUE : MMA_CODE_CHANGED;
    reply->acknowledges = block->given;
    return 0;
}

static int post_action(const struct mma_coap *request, struct mma_reply *reply, struct mma_executor *executor) {
    const uint8_t *data = request->payload.data;
    uint32_t length = request->payload.length;
    uint32_t what = mma_cbor_number(data, length, 0, 0);
    reply->code = MMA_CODE_CHANGED;
    if (what == 2) {
        if (executor->state != MMA_ENDED) {
            mma_executor_end(executor, MMA_CAUSE_KILLED, 0);
        }
        return 0;
    }
    if (what == 3) {
        return executor->state == MMA_RUNNING ? mma_rules_stop(executor, mma_cbor_number(data, length, 4, 0))
                                              : MMA_ERR_STATE;
    }
    const uint8_t *digest = mma_cbor_string(data, length, 1, MMA_DIGEST);
    if (what != 1 || !digest) {
        return MMA_ERR_INVALID;
    }
    return mma_executor_start(executor, digest, mma_cbor_number(data, length, 2, 0),
                              mma_cbor_number(data, length, 3, executor->parts.memory));
}

static int get_executor(struct mma_reply *reply, const struct mma_executor *executor) {
    struct mma_out *out = &reply->out;
    struct mma_run stack = mma_place_stack(&executor->place, &executor->parts);
    struct mma_run code = mma_place_code(&executor->place, &executor->parts);
    uint32_t trace[TRACE], depth = 0;
    if (executor->state == MMA_ENDED && executor->context.sp) {
        depth = mma_arch_trace(&executor->context, &stack, &code, trace, TRACE);
    }
    reply->code = MMA_CODE_CONTENT;
    reply->format = MMA_FORMAT_CBOR;
    mma_cbor_head(out, MMA_CBOR_MAP, 16);
    mma_cbor_head(out, MMA_CBOR_UINT, 0);
    mma_cbor_bytes(out, executor->key, MMA_KEY);
    mma_cbor_pair(out, 1, executor->state);
    mma_cbor_pair(out, 2, executor->cause);
    mma_cbor_head(out, MMA_CBOR_UINT, 3);
    mma_cbor_int(out, executor->status);
    mma_cbor_pair(out, 4, executor->pc);
    mma_cbor_pair(out, 5, executor->address);
    mma_cbor_head(out, MMA_CBOR_UINT, 6);
    mma_cbor_uint64(out, mma_microseconds(executor->cycles));
    mma_cbor_pair(out, 7, executor->switches);
    mma_cbor_pair(out, 8, mma_executor_stack_used(executor));
    mma_cbor_pair(out, 9, mma_executor_memory_used(executor));
    mma_cbor_pair(out, 10, executor->log.end);
    mma_cbor_pair(out, 11, executor->log.dropped);
    mma_cbor_pair(out, 12, executor->result);
    mma_cbor_head(out, MMA_CBOR_UINT, 13);
    mma_cbor_head(out, MMA_CBOR_ARRAY, depth);
    for (uint32_t i = 0; i < depth; i++) {
        mma_cbor_head(out, MMA_CBOR_UINT, trace[i]);
    }
    mma_cbor_pair(out, 14, executor->memory);
    mma_cbor_pair(out, 15, mma_executor_loaded(executor));
    return 0;
}

// As much of the log from ?o= on as fits into one block.
static int get_log(const struct mma_coap *request, struct mma_reply *reply, struct mma_executor *executor) {
    struct mma_out *out = &reply->out;
    struct mma_run area = mma_place_log(&executor->place, &executor->parts);
    uint32_t size = area.high - area.low, offset = 0, at;
    const struct mma_view *query = &request->query;
    if (query->length && (query->length < 3 || query->data[0] != 'o' || query->data[1] != '=' ||
                          !mma_view_number(query->data + 2, query->length - 2, &offset))) {
        return MMA_ERR_INVALID;
    }
    offset = mma_ring_from(&executor->log, size, offset);
    uint32_t length = mma_min(executor->log.end - offset, MMA_BLOCK - 9); // beside the heads of array, offset, bytes
    reply->code = MMA_CODE_CONTENT;
    reply->format = MMA_FORMAT_CBOR;
    mma_cbor_head(out, MMA_CBOR_ARRAY, 2);
    mma_cbor_head(out, MMA_CBOR_UINT, offset);
    mma_cbor_head(out, MMA_CBOR_BYTES, length);
    uint32_t first = mma_ring_piece(&executor->log, size, offset, length, &at);
    mma_out_bytes(out, mma_at(area.low + at), first);
    mma_out_bytes(out, mma_at(area.low), length - first);
    mma_ring_seen(&executor->log, offset + length);
    return 0;
}

static int get_result(struct mma_reply *reply, const struct mma_executor *executor) {
    struct mma_run area = mma_place_result(&executor->place, &executor->parts);
    reply->code = MMA_CODE_CONTENT;
    reply->format = MMA_FORMAT_OCTETS;
    mma_out_bytes(&reply->out, mma_at(area.low), executor->result);
    return 0;
}

// [[rule, kind, pin or sensor, period, value, how often it came true], ...]
static int get_rules(struct mma_reply *reply, const struct mma_executor *executor) {
    struct mma_out *out = &reply->out;
    uint32_t room = executor->state == MMA_RUNNING ? executor->rules : 0, count = 0;
    const struct mma_rule *rules = mma_rules_of(executor);
    for (uint32_t i = 0; i < room; i++) {
        count += rules[i].kind != MMA_RULE_NONE;
    }
    reply->code = MMA_CODE_CONTENT;
    reply->format = MMA_FORMAT_CBOR;
    mma_cbor_head(out, MMA_CBOR_ARRAY, count);
    for (uint32_t i = 0; i < room; i++) {
        const struct mma_rule *rule = &rules[i];
        if (rule->kind == MMA_RULE_NONE) {
            continue;
        }
        mma_cbor_head(out, MMA_CBOR_ARRAY, 6);
        mma_cbor_head(out, MMA_CBOR_UINT, i);
        mma_cbor_head(out, MMA_CBOR_UINT, rule->kind);
        mma_cbor_head(out, MMA_CBOR_UINT, rule->number);
        mma_cbor_uint64(out, rule->period);
        mma_cbor_int(out, rule->value);
        mma_cbor_head(out, MMA_CBOR_UINT, rule->count);
    }
    return 0;
}

static int post_message(const struct mma_coap *request, struct mma_reply *reply, struct mma_executor *executor) {
    reply->code = MMA_CODE_CHANGED;
    return executor->state == MMA_RUNNING
               ? mma_rules_message(executor, request->payload.data, request->payload.length)
               : MMA_ERR_STATE;
}

static int delete(struct mma_reply *reply, struct mma_executor *executor) {
    reply->code = MMA_CODE_DELETED;
    mma_executor_free(executor);
    return 0;
}

static int act(const struct mma_coap *request, struct mma_reply *reply, struct mma_executor *executor) {
    bool get = request->code == MMA_CODE_GET;
    if (request->depth == 2) {
        switch (request->code) {
        case MMA_CODE_GET:
            return get_executor(reply, executor);
        case MMA_CODE_PUT:
            return put_image(request, reply, executor);
        case MMA_CODE_POST:
            return post_action(request, reply, executor);
        case MMA_CODE_DELETE:
            return delete (reply, executor);
        default:
            return MMA_ERR_UNSUPPORTED;
        }
    }
    if (request->depth == 3 && mma_view_is(&request->path[2], "log")) {
        return get ? get_log(request, reply, executor) : MMA_ERR_UNSUPPORTED;
    }
    if (request->depth == 3 && mma_view_is(&request->path[2], "result")) {
        return get ? get_result(reply, executor) : MMA_ERR_UNSUPPORTED;
    }
    if (request->depth == 3 && mma_view_is(&request->path[2], "message")) {
        return request->code == MMA_CODE_POST ? post_message(request, reply, executor) : MMA_ERR_UNSUPPORTED;
    }
    if (request->depth == 3 && mma_view_is(&request->path[2], "rules")) {
        return get ? get_rules(reply, executor) : MMA_ERR_UNSUPPORTED;
    }
    return MMA_ERR_NOENT;
}

void mma_resource_executor(const struct mma_coap *request, struct mma_reply *reply) {
    const struct mma_view *segment = &request->path[1];
    int error = MMA_ERR_NOENT;
    uint32_t number = segment->length == 1 ? segment->data[0] - (uint32_t)'0' : MMA_SLOTS;
    if (number < MMA_SLOTS && mma_executors[number].state != MMA_FREE) {
        error = act(request, reply, &mma_executors[number]);
    }
    if (error) {
        mma_refuse(reply, error, 0, 0);
    }
}
