/* Runs the Mesos master that is inside libmesos: `launcher LIBMESOS STUB...`.
 *
 * A scheduler driver for the master "local" launches Mesos's own local cluster in its constructor
 * (src/sched/sched.cpp, src/local/local.cpp). The driver is never started, so no framework registers and
 * what remains is the master, with flags from the environment (MESOS_..., LIBPROCESS_...).
 *
 * The stubs come first: a library that is loaded already satisfies DT_NEEDED of the same soname.
 */
#include <dlfcn.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FRAMEWORK_INFO "_ZN5mesos13FrameworkInfoC1Ev"
#define DRIVER                                                                                       \
    "_ZN5mesos20MesosSchedulerDriverC1EPNS_9SchedulerERKNS_13FrameworkInfoE"                             \
    "RKNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE"
#define OBJECT_SIZE 65536 /* far more than either class takes */

/* std::string of libstdc++ since GCC 5 (bits/basic_string.h); short ones live in `local`. */
struct mma_string {
    char *data;
    size_t length;
    char local[16];
};

typedef void mma_construct_info(void *self);
typedef void mma_construct_driver(void *self, void *scheduler, const void *info, const struct mma_string *master);

static void *mma_open(const char *path, int flags) {
    void *library = dlopen(path, flags);
    if (library == NULL) {
        fprintf(stderr, "cannot load: %s\n", dlerror());
        exit(127);
    }
    return library;
}

static void *mma_symbol(void *library, const char *name) {
    void *symbol = dlsym(library, name);
    if (symbol == NULL) {
        fprintf(stderr, "not the libmesos that this launcher is for: %s\n", dlerror());
        exit(127);
    }
    return symbol;
}

int main(int count, char **words) {
    if (count < 2) return 2;
    for (int i = 2; i < count; i++) mma_open(words[i], RTLD_NOW | RTLD_GLOBAL);
    void *mesos = mma_open(words[1], RTLD_LAZY | RTLD_GLOBAL);

    mma_construct_info *construct_info;
    mma_construct_driver *construct_driver;
    *(void **)&construct_info = mma_symbol(mesos, FRAMEWORK_INFO);
    *(void **)&construct_driver = mma_symbol(mesos, DRIVER);

    void *info = calloc(1, OBJECT_SIZE);
    void *driver = calloc(1, OBJECT_SIZE);
    struct mma_string master = {.length = 5, .local = "local"};
    master.data = master.local;
    if (info == NULL || driver == NULL) return 1;
    construct_info(info);
    construct_driver(driver, NULL, info, &master);
    for (;;) pause();
}
