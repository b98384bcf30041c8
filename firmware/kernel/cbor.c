#include "kernel/cbor.h"

#include "kernel/bytes.h"

void mma_out_bytes(struct mma_out *out, const void *data, uint32_t length) {
    const uint8_t *from = data;
    uint32_t start = out->total; // position of `data` in the whole
    out->total += length;
    uint32_t low = mma_max(start, out->from);
    uint32_t high = mma_min(start + length, out->from + out->room);
    if (low < high) {
        memcpy(out->to + (low - out->from), from + (low - start), high - low);
    }
}

void mma_out_text(struct mma_out *out, const char *text) {
    uint32_t length = 0;
    while (text[length]) {
        length++;
    }
    mma_out_bytes(out, text, length);
}

void mma_cbor_head(struct mma_out *out, enum mma_cbor_type type, uint32_t value) {
    uint8_t head[5];
    uint32_t extra = value < 24 ? 0 : value < 0x100 ? 1 : value < 0x10000 ? 2 : 4;
    head[0] = (uint8_t)(type << 5 | (extra == 0 ? value : extra == 1 ? 24 : extra == 2 ? 25 : 26));
    for (uint32_t i = 0; i < extra; i++) {
        head[1 + i] = (uint8_t)(value >> 8 * (extra - 1 - i));
    }
    mma_out_bytes(out, head, 1 + extra);
}

void mma_cbor_uint64(struct mma_out *out, uint64_t value) {
    if (value >> 32 == 0) {
        mma_cbor_head(out, MMA_CBOR_UINT, (uint32_t)value);
        return;
    }
    uint8_t head[9] = {MMA_CBOR_UINT << 5 | 27};
    for (uint32_t i = 0; i < 8; i++) {
        head[8 - i] = (uint8_t)value;
        value >>= 8;
    }
    mma_out_bytes(out, head, sizeof head);
}

void mma_cbor_int(struct mma_out *out, int32_t value) {
    if (value < 0) {
        mma_cbor_head(out, MMA_CBOR_NEGATIVE, ~(uint32_t)value);
    } else {
        mma_cbor_head(out, MMA_CBOR_UINT, (uint32_t)value);
    }
}

void mma_cbor_bytes(struct mma_out *out, const void *data, uint32_t length) {
    mma_cbor_head(out, MMA_CBOR_BYTES, length);
    mma_out_bytes(out, data, length);
}

void mma_cbor_text(struct mma_out *out, const char *text) {
    uint32_t length = 0;
    while (text[length]) {
        length++;
    }
    mma_cbor_head(out, MMA_CBOR_TEXT, length);
    mma_out_bytes(out, text, length);
}

void mma_cbor_pair(struct mma_out *out, uint32_t key, uint32_t value) {
    mma_cbor_head(out, MMA_CBOR_UINT, key);
    mma_cbor_head(out, MMA_CBOR_UINT, value);
}

// -- reading --------------------------------------------------------------------------------------------------

struct reader {
    const uint8_t *at;
    const uint8_t *end;
};

static uint32_t left(const struct reader *reader) { return (uint32_t)(reader->end - reader->at); }

// One head. Values past 32 bits are malformed here: nothing in our protocol has them.
static bool take_head(struct reader *reader, struct mma_cbor_item *item) {
    if (left(reader) == 0) {
        return false;
    }
    uint8_t first = *reader->at++;
    uint32_t low = first & 31;
    item->type = (enum mma_cbor_type)(first >> 5);
    item->value = low;
    if (low >= 24) {
        if (low > 27) {
            return false; // indefinite lengths: a sender of ours knows what it sends
        }
        uint32_t extra = 1u << (low - 24);
        if (left(reader) < extra) {
            return false;
        }
        uint32_t value = 0;
        for (uint32_t i = 0; i < extra; i++) {
            if (value >> 24) {
                return false;
            }
            value = value << 8 | *reader->at++;
        }
        item->value = value;
    }
    item->data = reader->at;
    if (item->type == MMA_CBOR_BYTES || item->type == MMA_CBOR_TEXT) {
        if (left(reader) < item->value) {
            return false;
        }
        reader->at += item->value;
    }
    return true;
}

// One whole item, however nested: counted, not recursed, since the depth is the sender's to choose.
static bool take_item(struct reader *reader, struct mma_cbor_item *item) {
    if (!take_head(reader, item)) {
        return false;
    }
    struct mma_cbor_item inner = *item;
    uint32_t open = 0; // items still to come
    for (;;) {
        uint32_t more = inner.type == MMA_CBOR_ARRAY ? inner.value
                        : inner.type == MMA_CBOR_TAG ? 1
                                                     : 0;
        if (inner.type == MMA_CBOR_MAP) {
            more = inner.value > left(reader) ? inner.value : inner.value * 2;
        }
        if (more > left(reader)) {
            return false; // every item has a byte at least
        }
        open += more;
        if (open == 0) {
            return true;
        }
        if (open > left(reader) || !take_head(reader, &inner)) {
            return false;
        }
        open--;
    }
}

bool mma_cbor_find(const uint8_t *data, uint32_t length, uint32_t key, struct mma_cbor_item *item) {
    struct reader reader = {data, data + length};
    struct mma_cbor_item map, name;
    if (length == 0 || !take_head(&reader, &map) || map.type != MMA_CBOR_MAP) {
        return false;
    }
    for (uint32_t i = 0; i < map.value; i++) {
        if (!take_item(&reader, &name) || !take_item(&reader, item)) {
            return false;
        }
        if (name.type == MMA_CBOR_UINT && name.value == key) {
            return true;
        }
    }
    return false;
}

uint32_t mma_cbor_number(const uint8_t *data, uint32_t length, uint32_t key, uint32_t otherwise) {
    struct mma_cbor_item item;
    return mma_cbor_find(data, length, key, &item) && item.type == MMA_CBOR_UINT ? item.value : otherwise;
}

const uint8_t *mma_cbor_string(const uint8_t *data, uint32_t length, uint32_t key, uint32_t bytes) {
    struct mma_cbor_item item;
    return mma_cbor_find(data, length, key, &item) && item.type == MMA_CBOR_BYTES && item.value == bytes ? item.data
                                                                                                          : 0;
}
