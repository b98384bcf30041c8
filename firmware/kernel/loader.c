#include "kernel/loader.h"

#include "kernel/bytes.h"

void mma_loader_start(struct mma_loader *loader) {
    memset(loader, 0, sizeof *loader);
    mma_sha256_start(&loader->hash);
}

static bool begin_record(struct mma_loader *loader, const struct mma_window *windows, uint32_t count) {
    uint32_t address = mma_get32(loader->head), length = mma_get32(loader->head + 4);
    for (uint32_t i = 0; i < count; i++) {
        const struct mma_run *run = &windows[i].run;
        if (address >= run->low && address <= run->high && length <= run->high - address) {
            loader->to = windows[i].bytes + (address - run->low);
            loader->left = length;
            return true;
        }
    }
    return false;
}

bool mma_loader_feed(struct mma_loader *loader, const struct mma_window *windows, uint32_t count, const uint8_t *data,
                     uint32_t length) {
    mma_sha256_feed(&loader->hash, data, length);
    loader->received += length;
    while (length) {
        uint32_t part;
        if (loader->left) {
            part = mma_min(loader->left, length);
            memcpy(loader->to, data, part);
            loader->to += part;
            loader->left -= part;
        } else {
            part = mma_min(sizeof loader->head - loader->have, length);
            memcpy(loader->head + loader->have, data, part);
            loader->have = (uint8_t)(loader->have + part);
            if (loader->have == sizeof loader->head) {
                loader->have = 0;
                if (!begin_record(loader, windows, count)) {
                    return false;
                }
            }
        }
        data += part;
        length -= part;
    }
    return true;
}

bool mma_loader_end(struct mma_loader *loader, uint8_t digest[MMA_DIGEST]) {
    mma_sha256_end(&loader->hash, digest);
    return loader->left == 0 && loader->have == 0;
}
