/* Calls every function of WASI preview 1, except the exit, with every hostile value in every place.
 *
 *   exit     0 if every answer was an errno, 1 if not
 *
 * That the kernel is still there to say so is the point.
 */
#include <stddef.h>
#include <stdint.h>

#define IMPORT(name) __attribute__((import_module("wasi_snapshot_preview1"), import_name(#name)))

typedef uint32_t i;
typedef uint64_t l;

#define FUNCTIONS(X)                                                                              \
    X(args_get, ii) X(args_sizes_get, ii) X(environ_get, ii) X(environ_sizes_get, ii)             \
    X(clock_res_get, ii) X(clock_time_get, ili) X(fd_advise, illi) X(fd_allocate, ill)            \
    X(fd_datasync, i) X(fd_fdstat_get, ii) X(fd_fdstat_set_flags, ii)                             \
    X(fd_filestat_get, ii) X(fd_filestat_set_size, il) X(fd_filestat_set_times, illi)             \
    X(fd_pread, iiili) X(fd_prestat_get, ii) X(fd_prestat_dir_name, iii) X(fd_pwrite, iiili)      \
    X(fd_read, iiii) X(fd_readdir, iiili) X(fd_seek, ilii) X(fd_sync, i) X(fd_tell, ii)           \
    X(fd_write, iiii) X(path_create_directory, iii) X(path_filestat_get, iiiii)                   \
    X(path_filestat_set_times, iiiilli) X(path_link, iiiiiii) X(path_open, iiiiillii)             \
    X(path_readlink, iiiiii) X(path_remove_directory, iii) X(path_rename, iiiiii)                 \
    X(path_symlink, iiiii) X(path_unlink_file, iii) X(poll_oneoff, iiii) X(proc_raise, i)         \
    X(random_get, ii) X(sock_accept, iii) X(sock_recv, iiiiii) X(sock_send, iiiii)                \
    X(sock_shutdown, ii)                                                                          \
    /* These three take away what the others are called with, so they come last. */               \
    X(fd_fdstat_set_rights, ill) X(fd_renumber, ii) X(fd_close, i)

/* What each shape of parameters declares, and how it is called with an array of values. */
#define P_i (i)
#define A_i(v) ((i)v[0])
#define P_ii (i, i)
#define A_ii(v) ((i)v[0], (i)v[1])
#define P_il (i, l)
#define A_il(v) ((i)v[0], v[1])
#define P_iii (i, i, i)
#define A_iii(v) ((i)v[0], (i)v[1], (i)v[2])
#define P_ili (i, l, i)
#define A_ili(v) ((i)v[0], v[1], (i)v[2])
#define P_ill (i, l, l)
#define A_ill(v) ((i)v[0], v[1], v[2])
#define P_iiii (i, i, i, i)
#define A_iiii(v) ((i)v[0], (i)v[1], (i)v[2], (i)v[3])
#define P_ilii (i, l, i, i)
#define A_ilii(v) ((i)v[0], v[1], (i)v[2], (i)v[3])
#define P_illi (i, l, l, i)
#define A_illi(v) ((i)v[0], v[1], v[2], (i)v[3])
#define P_iiiii (i, i, i, i, i)
#define A_iiiii(v) ((i)v[0], (i)v[1], (i)v[2], (i)v[3], (i)v[4])
#define P_iiili (i, i, i, l, i)
#define A_iiili(v) ((i)v[0], (i)v[1], (i)v[2], v[3], (i)v[4])
#define P_iiiiii (i, i, i, i, i, i)
#define A_iiiiii(v) ((i)v[0], (i)v[1], (i)v[2], (i)v[3], (i)v[4], (i)v[5])
#define P_iiiiiii (i, i, i, i, i, i, i)
#define A_iiiiiii(v) ((i)v[0], (i)v[1], (i)v[2], (i)v[3], (i)v[4], (i)v[5], (i)v[6])
#define P_iiiilli (i, i, i, i, l, l, i)
#define A_iiiilli(v) ((i)v[0], (i)v[1], (i)v[2], (i)v[3], v[4], v[5], (i)v[6])
#define P_iiiiillii (i, i, i, i, i, l, l, i, i)
#define A_iiiiillii(v)                                                                            \
    ((i)v[0], (i)v[1], (i)v[2], (i)v[3], (i)v[4], v[5], v[6], (i)v[7], (i)v[8])

#define DECLARE(name, shape) IMPORT(name) extern i raw_##name P_##shape;
FUNCTIONS(DECLARE)

static const i parameters[] = {
#define PARAMETERS(name, shape) sizeof #shape - 1,
    FUNCTIONS(PARAMETERS)};

enum {
#define NUMBER(name, shape) NUMBER_##name,
    FUNCTIONS(NUMBER)
};

/* One large function: the engine takes many tiny ones for an attack on its translator. */
static i call(size_t function, const l *v) {
    switch (function) {
#define CASE(name, shape)                                                                         \
    case NUMBER_##name:                                                                           \
        return raw_##name A_##shape(v);
        FUNCTIONS(CASE)
    }
    return UINT32_MAX;
}

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define LARGEST_ERRNO 76

/* Descriptors, small lengths, misaligned pointers, the ends of memories of one and two pages, and
 * what overflows when something is added. */
static const l hostile[] = {0,          1,          2,          3,          9,
                            0xffff,     0x10000,    0x1fffd,    0x20000,    0x7fffffff,
                            0x80000000, 0xfffffff0, 0xfffffffd, 0xffffffff, UINT64_MAX};

/* Calls leave things at the start of memory that poll_oneoff would take for times to wait until. */
static void clear_start(void) {
    static volatile l *volatile start = NULL;
    for (i at = 0; at < 128; at++) {
        start[at] = 0;
    }
}

/* random_get does fill what it may, and the program itself must not be in there. */
static int harms_program(size_t function, const l *v) {
    return function == NUMBER_random_get && (i)v[1] >= 0xffff && (i)v[1] <= 0x20000;
}

static int all_answered(void) {
    for (size_t f = 0; f < COUNT(parameters); f++) {
        for (i place = 0; place < parameters[f]; place++) {
            for (size_t value = 0; value < COUNT(hostile); value++) {
                for (size_t other = 0; other < COUNT(hostile); other += 3) {
                    l values[9];
                    for (i p = 0; p < COUNT(values); p++) {
                        values[p] = hostile[p == place ? value : other];
                    }
                    if (f == NUMBER_poll_oneoff) {
                        clear_start();
                    }
                    if (!harms_program(f, values) && call(f, values) > LARGEST_ERRNO) {
                        return 0;
                    }
                }
            }
        }
    }
    return 1;
}

int main(void) { return all_answered() ? 0 : 1; }
